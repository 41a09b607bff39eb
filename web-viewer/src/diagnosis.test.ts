import { expect, it } from "vitest";
import { diagnosisOf, type Gathered } from "./diagnosis";

const STUN = { urls: ["stun:example.net:3478"] };
const TURN = { urls: ["turn:example.net:3478", "turn:example.net:3478?transport=tcp"], username: "u", credential: "c" };

const gathered = (kinds: string[], errors: number[] = []): Gathered => ({
  kinds: new Set(kinds),
  errors: new Set(errors),
});

it.each([
  ["a relay that is reached is not to blame", [STUN, TURN], gathered(["host", "relay"]), /cut off from the relay/],
  ["a relay that does not take the page", [TURN], gathered(["host", "srflx"], [401]), /Reload/],
  ["a relay that does not answer", [TURN], gathered(["host"], [701]), /another one, such as a phone/],
  ["no relay, and no UDP", [STUN], gathered(["host"], [701]), /blocks UDP/],
  ["no relay, but UDP", [STUN], gathered(["host", "srflx"]), /A firewall may be in between/],
  ["nothing to go by", [], gathered(["host"]), /A firewall may be in between/],
])("%s", (_, servers, found, words) => {
  expect(diagnosisOf(servers, found)).toMatch(words);
});
