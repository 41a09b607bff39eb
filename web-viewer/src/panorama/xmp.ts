/** Tells other programs that a JPEG shows all that is around, so that they let one look around in it. Pure. */

const START_OF_IMAGE = [0xff, 0xd8];
const APP1 = [0xff, 0xe1];
const NAMESPACE = "http://ns.adobe.com/xap/1.0/\0";

/** The JPEG with a note in front that it is a full equirectangular panorama of that size. */
export function asPanorama(jpeg: Uint8Array<ArrayBuffer>, width: number, height: number): Uint8Array<ArrayBuffer> {
  if (START_OF_IMAGE.some((byte, i) => jpeg[i] !== byte)) return jpeg;
  const note = new TextEncoder().encode(NAMESPACE + packet(width, height));
  const length = note.length + 2;
  const made = new Uint8Array(jpeg.length + APP1.length + length);
  made.set([...START_OF_IMAGE, ...APP1, length >> 8, length & 0xff]);
  made.set(note, 6);
  made.set(jpeg.subarray(2), 6 + note.length);
  return made;
}

function packet(width: number, height: number): string {
  const facts = {
    ProjectionType: "equirectangular",
    FullPanoWidthPixels: width,
    FullPanoHeightPixels: height,
    CroppedAreaImageWidthPixels: width,
    CroppedAreaImageHeightPixels: height,
    CroppedAreaLeftPixels: 0,
    CroppedAreaTopPixels: 0,
  };
  const said = Object.entries(facts).map(([name, value]) => `GPano:${name}="${value}"`);
  return (
    `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
    `<rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" ${said.join(" ")}/></rdf:RDF></x:xmpmeta>`
  );
}
