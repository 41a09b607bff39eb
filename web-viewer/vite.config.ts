import { readFileSync } from "node:fs";
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

export default defineConfig({
  plugins: [socketIoClient()],
  build: {
    target: "es2022",
    // The server's content security policy allows no `data:` addresses and no inline script.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
  server: {
    // `npx vite` beside a running server.
    proxy: { "/api": "http://127.0.0.1:8080", "/socket.io": { target: "http://127.0.0.1:8080", ws: true } },
  },
});
