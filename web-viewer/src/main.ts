/** Starts the page that the address asks for. */
import { element } from "./dom";
import { Home } from "./home";
import { routeOf } from "./route";
import { Status } from "./status";
import { Viewer } from "./viewer";

const route = routeOf(location.pathname);
document.body.dataset["page"] = route.page;

if (route.page === "home") {
  element("home", HTMLElement).hidden = false;
  void new Home();
} else {
  element("viewer", HTMLElement).hidden = false;
  if ("RTCPeerConnection" in globalThis) void new Viewer(route);
  else new Status().explain("This browser cannot receive live video (it has no WebRTC). Please try another one.");
}
