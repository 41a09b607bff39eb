import { expect, it } from "vitest";
import { Continued } from "./continued";

it("counters go on from one track to the next, and everything else is of what is shown", () => {
  const continued = new Continued();
  expect(continued.counted({ framesDecoded: 100, frameWidth: 640 })).toEqual({ framesDecoded: 100, frameWidth: 640 });
  continued.counted({ framesDecoded: 130, frameWidth: 640 });
  continued.next();
  expect(continued.counted({ framesDecoded: 2, frameWidth: 320 })).toEqual({ framesDecoded: 130, frameWidth: 320 });
  expect(continued.counted({ framesDecoded: 32, frameWidth: 320 })).toEqual({ framesDecoded: 160, frameWidth: 320 });
  // The first one again.
  continued.next();
  expect(continued.counted({ framesDecoded: 131, frameWidth: 640 })).toEqual({ framesDecoded: 160, frameWidth: 640 });
  expect(continued.counted({ framesDecoded: 161, frameWidth: 640 })).toEqual({ framesDecoded: 190, frameWidth: 640 });
});
