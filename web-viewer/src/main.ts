/** Starts the page that the address asks for. */
import { element } from "./dom";
import { Home } from "./home";
import { routeOf } from "./route";
import { Status } from "./status";
import { learnLanguage, t } from "./text";
import { Viewer } from "./viewer";

await learnLanguage(navigator.languages);

const route = routeOf(location.pathname, location.search);
document.body.dataset["page"] = route.page;

if (route.page === "home") {
  element("home", HTMLElement).hidden = false;
  void new Home(location.search);
} else {
  element("viewer", HTMLElement).hidden = false;
  if ("RTCPeerConnection" in globalThis) void new Viewer(route);
  else new Status().explain(t("This browser cannot receive live video (it has no WebRTC). Please try another one."));
}
