// Fails when a lock file lets in what nobody chose: code from outside the registries, without a checksum, with a script that runs
// when it is installed, or, in what the page is made of, under a licence that deny.toml does not allow. It asks nobody.
import { readFileSync } from "node:fs";

const FOLDERS = ["web-viewer", "tests/browser"];
const REGISTRY = "https://registry.npmjs.org/";
/** Packages whose scripts may run, each with the reason why it cannot do without. */
const SCRIPTS_ALLOWED = new Map();
/** Licences of packages that name them in a way which npm does not take over. */
const LICENCES = new Map([["xmlhttprequest-ssl@2.1.2", "MIT"]]);

const faults = [];
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

const [, list] = read("deny.toml").match(/^\[licenses\]\nallow = \[([^\]]*)\]/m) ?? [];
if (list === undefined) throw new Error("deny.toml lists no licences where they are looked for");
// What LiveKit's client needs of TypeScript asks for even less than the others; no crate comes so.
const allowed = new Set(["0BSD", ...[...list.matchAll(/"([^"]+)"/g)].map(([, licence]) => licence)]);

/** Whether one of the choices that an expression gives holds nothing but what is allowed. Brackets within make it a no. */
function isAllowed(expression = "") {
  const choices = expression.replace(/^\((.*)\)$/, "$1").split(" OR ");
  return choices.some((choice) => choice.split(" AND ").every((licence) => allowed.has(licence)));
}

const sorted = (wanted = {}) => JSON.stringify(Object.entries(wanted).toSorted());

for (const folder of FOLDERS) {
  const manifest = JSON.parse(read(`${folder}/package.json`));
  const { lockfileVersion, packages } = JSON.parse(read(`${folder}/package-lock.json`));
  const fault = (text) => faults.push(`${folder}/package-lock.json: ${text}`);
  if (lockfileVersion !== 3) fault(`version ${lockfileVersion}, of which nothing is known here`);

  for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
    if (sorted(manifest[kind]) !== sorted(packages[""][kind])) fault(`${kind} are not those of package.json`);
  }
  for (const [path, entry] of Object.entries(packages)) {
    if (path === "") continue;
    const name = path.replace(/^.*node_modules\//, "");
    // Where nothing is said, npm asks the registry.
    const source = entry.resolved ?? REGISTRY;
    if (entry.link || !source.startsWith(REGISTRY)) fault(`${name} is not the registry's`);
    if (!entry.integrity?.startsWith("sha512-")) fault(`${name} has no SHA-512`);
    if (entry.hasInstallScript && !SCRIPTS_ALLOWED.has(name)) fault(`${name} runs a script when it is installed`);
    const licence = entry.license ?? LICENCES.get(`${name}@${entry.version}`);
    if (!entry.dev && !isAllowed(licence)) fault(`${name} comes under ${licence ?? "no licence"}`);
  }
}

for (const text of read("Cargo.lock").split("\n[[package]]\n").slice(1)) {
  const field = (name) => text.match(new RegExp(`^${name} = "(.*)"$`, "m"))?.[1];
  // Which registry it is, cargo-deny looks at.
  if (field("source") && !/^[0-9a-f]{64}$/.test(field("checksum") ?? ""))
    faults.push(`Cargo.lock: ${field("name")} has no SHA-256`);
}

for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
