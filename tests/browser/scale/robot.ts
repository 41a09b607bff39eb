/** A robot whose viewers are sent to the media server from the third on. */
export const ROBOT = `
[media]
listen = "127.0.0.1:0"

[spill]
viewers = 3

[[cameras]]
id = "main"
source = "test"
width = 640
height = 320
fps = 30
bitrate = 600000
`;
