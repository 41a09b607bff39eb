// Says what each program is made of, in CycloneDX's JSON: the crates that are linked into it and, for the server, the npm packages
// whose code is in the page. The same sources give the same bytes.
// Usage: sbom.mjs write CARGO-CYCLONEDX    writes target/debian/panocast-<program>.cdx.json
//        sbom.mjs check                    fails when a package in target/debian lacks it, or it lacks what its program holds
import { execFileSync, execSync } from "node:child_process";
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";

process.chdir(`${import.meta.dirname}/..`);
const PROGRAMS = ["broadcaster", "server"];
const OUTPUT = "target/debian";
const [command, cyclonedx] = process.argv.slice(2);

const run = (program, options, more = {}) =>
  execFileSync(program, options, {
    encoding: "utf8",
    maxBuffer: 2 ** 30,
    stdio: ["ignore", "pipe", "inherit"],
    ...more,
  });
const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const named = ({ name, version }) => `${name}@${version}`;

/** The crates that are linked into each program, as `name@version`: built as they are, in one go. */
function linked() {
  const edges = ["--edges", "no-dev,no-build,no-proc-macro", "--no-dedupe", "--prefix", "depth"];
  const tree = run("cargo", ["tree", "--locked", ...edges, ...PROGRAMS.flatMap((program) => ["--package", program])]);
  const crates = new Map();
  let crate;
  for (const [, depth, name, version] of tree.matchAll(/^(\d+)(\S+) v(\S+)/gm)) {
    if (depth === "0") crates.set(name, (crate = new Set()));
    crate.add(`${name}@${version}`);
  }
  return crates;
}

/** Fails when it says where it was written, or does not name all that is in a program. */
function check(program, text, crates) {
  const places = [`${process.cwd()}/`, `${homedir()}/.`, "file:", '"/', "/home/"].filter((place) =>
    text.includes(place),
  );
  if (places.length > 0) throw new Error(`${program}'s SBOM names places of this machine: ${places.join(", ")}`);
  const { components, metadata } = JSON.parse(text);
  const known = new Set([metadata.component, ...components].map(named));
  const lacking = [...crates].filter((crate) => !known.has(crate));
  if (lacking.length > 0) throw new Error(`${program}'s SBOM lacks ${lacking.join(", ")}`);
}

/** What cargo-cyclonedx says of a program; it writes beside every manifest, and more than is linked. */
function ofCrates(program, crates) {
  const name = "sbom-of-panocast.tmp";
  const how = ["--format", "json", "--spec-version", "1.5", "--no-build-deps", "--override-filename", name, "-qq"];
  try {
    run(cyclonedx, ["cyclonedx", "--manifest-path", `${program}/Cargo.toml`, ...how]);
    const bom = json(`${program}/${name}.json`);
    bom.components = bom.components.filter((component) => crates.has(named(component)));
    return bom;
  } finally {
    const folders = readdirSync(".", { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const folder of folders) rmSync(`${folder.name}/${name}.json`, { force: true });
  }
}

/** What npm says of the packages whose code is in the page, and of the page. */
function ofPage() {
  const options = ["--sbom-format", "cyclonedx", "--package-lock-only", "--no-update-notifier", "--loglevel", "error"];
  const bom = JSON.parse(run("npm", ["sbom", ...options], { cwd: "web-viewer" }));
  const inPage = new Set(json("web-viewer/node_modules/.bundled.json"));
  // The script for pages of others is as its authors built it; its map has their folders.
  const { sources } = json("web-viewer/node_modules/socket.io-client/dist/socket.io.min.js.map");
  const folders = new Set(sources.map((source) => source.match(/^\.\.\/\.\.\/([^/]+)/)?.[1] ?? "socket.io-client"));
  for (const { name } of bom.components) {
    if (folders.delete(name) || folders.delete(name.replace("@socket.io/", "socket.io-"))) inPage.add(name);
  }
  if (folders.size > 0) throw new Error(`socket.io.js holds what no package is known for: ${[...folders].join(", ")}`);
  bom.components = bom.components.filter(({ name }) => inPage.delete(name));
  if (inPage.size > 0) throw new Error(`the page holds what npm does not know: ${[...inPage].join(", ")}`);
  return bom;
}

/** SQLite itself, which a crate brings along: what is known of it, is known by its own version. */
function sqlite(crate) {
  const { packages } = JSON.parse(run("cargo", ["metadata", "--locked", "--format-version", "1"]));
  const manifest = packages.find((candidate) => named(candidate) === named(crate)).manifest_path;
  const header = readFileSync(manifest.replace(/Cargo\.toml$/, "sqlite3/sqlite3.h"), "utf8");
  const [, version] = header.match(/^#define SQLITE_VERSION +"(.*)"$/m);
  const purl = `pkg:generic/sqlite@${version}`;
  const cpe = `cpe:2.3:a:sqlite:sqlite:${version}:*:*:*:*:*:*:*`;
  const licenses = [{ license: { id: "blessing" } }];
  return { type: "library", "bom-ref": purl, name: "sqlite", version, scope: "required", licenses, cpe, purl };
}

function write(program, crates) {
  const bom = ofCrates(program, crates);
  if (process.env.SOURCE_DATE_EPOCH === "0") delete bom.metadata.timestamp;
  const root = bom.metadata.component;
  delete root.components;
  if (program === "server") {
    const page = ofPage();
    const front = page.metadata.component;
    front.name = "web-viewer";
    bom.metadata.tools.push(...page.metadata.tools);
    // What npm takes for a tool may have left its code in the page all the same.
    bom.components.push(front, ...page.components.map((component) => ({ ...component, scope: "required" })));
    const inPage = page.components.map((component) => component["bom-ref"]);
    const isInPage = (ref) => inPage.includes(ref);
    for (const { ref, dependsOn } of page.dependencies.filter((entry) => isInPage(entry.ref))) {
      bom.dependencies.push({ ref, dependsOn: dependsOn.filter(isInPage) });
    }
    bom.dependencies.push({ ref: front["bom-ref"], dependsOn: inPage });
    bom.dependencies.find(({ ref }) => ref === root["bom-ref"]).dependsOn.push(front["bom-ref"]);

    const crate = bom.components.find(({ name }) => name === "libsqlite3-sys");
    const c = sqlite(crate);
    bom.components.push(c);
    bom.dependencies.push({ ref: c["bom-ref"] });
    (bom.dependencies.find(({ ref }) => ref === crate["bom-ref"]).dependsOn ??= []).push(c["bom-ref"]);
  }

  // What is ours is in no registry, where others have these names.
  const refs = new Map();
  for (const component of [root, ...bom.components]) {
    const isOurs = component.purl.includes("download_url=file:") || component.name === "web-viewer";
    const ref = isOurs ? `panocast/${named(component)}` : component.purl;
    refs.set(component["bom-ref"], ref);
    component["bom-ref"] = ref;
    if (!isOurs) continue;
    component.group = "panocast";
    delete component.purl;
  }
  const known = (list) => list.flatMap((ref) => refs.get(ref) ?? []).toSorted();
  bom.dependencies = bom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref: refs.get(ref), dependsOn: known(dependsOn) }));

  const text = `${JSON.stringify(bom, null, 1)}\n`;
  check(program, text, crates);
  writeFileSync(`${OUTPUT}/panocast-${program}.cdx.json`, text);
}

/** Looks into the package that was built last. */
function inspect(program, crates) {
  const debs = readdirSync(OUTPUT).filter((name) => name.startsWith(`panocast-${program}_`) && name.endsWith(".deb"));
  const [deb] = debs.map((name) => `${OUTPUT}/${name}`).toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (deb === undefined) throw new Error(`there is no package of ${program} in ${OUTPUT}`);
  const inside = (path, more) =>
    execSync(`dpkg-deb --fsys-tarfile '${deb}' | tar --extract --to-stdout './${path}'`, {
      maxBuffer: 2 ** 30,
      ...more,
    });
  const text = inside(`usr/share/doc/panocast-${program}/sbom.cdx.json`, { encoding: "utf8" });
  if (text !== readFileSync(`${OUTPUT}/panocast-${program}.cdx.json`, "utf8"))
    throw new Error(`${deb} has another SBOM`);
  check(program, text, crates);

  // A crate that may panic has left its name in the program.
  const held = inside(`usr/bin/${program}`, { encoding: "latin1" });
  const met = new Set(
    [...held.matchAll(/registry\/src\/[^/]+\/([\w-]+?)-(\d+\.\d+\.\d+[\w.+-]*)\//g)].map(([, ...crate]) =>
      crate.join("@"),
    ),
  );
  if (met.size < 20) throw new Error(`${deb}: its program does not say what it was built of`);
  check(program, text, met);
  process.stdout.write(`${deb}: ${JSON.parse(text).components.length} components\n`);
}

const crates = linked();
if (command === "write") {
  // What is written tells the time of the sources, if any.
  process.env.SOURCE_DATE_EPOCH ??= execSync("git log -1 --format=%ct 2>/dev/null || echo 0", {
    encoding: "utf8",
  }).trim();
  for (const program of PROGRAMS) write(program, crates.get(program));
} else if (command === "check") {
  for (const program of PROGRAMS) inspect(program, crates.get(program));
} else {
  throw new Error(`write or check, and not ${command}`);
}
