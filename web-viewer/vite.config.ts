import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { minify } from "terser";
import { defineConfig, type Plugin } from "vite";

/**
 * Puts the classic-script client where pages of the broadcast family load it from, `/socket.io/socket.io.js`.
 *
 * Its source map is not shipped, so the comment that names it goes.
 */
function socketIoClient(): Plugin {
  const file = new URL("node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url);
  return {
    name: "socket-io-client",
    apply: "build",
    generateBundle() {
      const source = readFileSync(file, "utf8").replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n");
      this.emitFile({ type: "asset", fileName: "socket.io/socket.io.js", source });
    },
  };
}

/** What Vite has made small gets two in a hundred smaller. */
function smaller(): Plugin {
  return {
    name: "smaller",
    apply: "build",
    async generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk" || chunk.fileName.includes("livekit")) continue;
        // oxlint-disable-next-line no-await-in-loop
        const { code } = await minify(chunk.code, { module: true, ecma: 2020, compress: { passes: 3 } });
        chunk.code = code ?? chunk.code;
      }
    },
  };
}

/** Keeps the names of a script to itself that runs in pages of others. */
function selfContained(name: string): Plugin {
  return {
    name: "self-contained",
    apply: "build",
    generateBundle(_, bundle) {
      const chunk = bundle[name];
      if (chunk?.type !== "chunk") throw new Error(`${name} is not built`);
      if (chunk.imports.length > 0) throw new Error(`${name} needs other files`);
      chunk.code = `(()=>{${chunk.code}})();\n`;
    },
  };
}

/** Says which packages' code is in the page, outside of what the server hands out: `make package` tells who installs it. */
function bundled(): Plugin {
  return {
    name: "bundled",
    apply: "build",
    generateBundle(_, bundle) {
      const packages = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const [id, { renderedLength }] of Object.entries(chunk.modules)) {
          // Vite's own helpers lie nowhere.
          const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1] ?? /^\0([^/]+)\//.exec(id)?.[1];
          if (name !== undefined && renderedLength > 0) packages.add(name);
        }
      }
      writeFileSync(new URL("node_modules/.bundled.json", import.meta.url), JSON.stringify([...packages].toSorted()));
    },
  };
}

/** What a viewer may have to load in all, with every button pressed, in bytes, gzipped: it opens at once on a phone in a field. */
const BUDGET = 45_000;

/** Lays each file beside itself as small as it gets, for the server to hand out, and refuses a page that is too large. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    // What is on the disk is what it will be: until then, other plugins still change the files.
    writeBundle({ dir = "" }, bundle) {
      let size = 0;
      for (const name of Object.keys(bundle)) {
        const source = readFileSync(join(dir, name));
        const gzipped = gzipSync(source, { level: 9 });
        writeFileSync(join(dir, `${name}.gz`), gzipped);
        writeFileSync(join(dir, `${name}.br`), brotliCompressSync(source));
        // What media servers take, LiveKit's own client above all, is loaded by those whose pictures come by one.
        if (!/admin|engine|livekit|^socket\.io/.test(name)) size += gzipped.length;
      }
      this.info(`${size} of ${BUDGET} bytes`);
      if (size > BUDGET) throw new Error(`the page weighs ${size} bytes, gzipped, more than ${BUDGET}`);
    },
  };
}

export default defineConfig({
  plugins: [socketIoClient(), smaller(), selfContained("embed.js"), bundled(), compressed()],
  build: {
    target: "es2022",
    // The server's content security policy allows no `data:` addresses and no inline script.
    assetsInlineLimit: 0,
    // The page names all that it begins with, so that nothing waits for something else to be read first.
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: ["index.html", "admin.html", "src/embed.ts"],
      output: {
        // Pages of others name this file, so its name stays.
        entryFileNames: ({ name }) => (name === "embed" ? "embed.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  server: {
    // `npx vite` beside a running server.
    proxy: { "/api": "http://127.0.0.1:8080", "/socket.io": { target: "http://127.0.0.1:8080", ws: true } },
  },
});
