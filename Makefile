# Two commands do what most people want: `make demo` and `make test`. Both install what is missing by themselves.

# What the programs need to be built and to run, what the demo needs beyond that, and what the tests do.
BUILD_PACKAGES := build-essential pkg-config libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev \
	gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
DEMO_PACKAGES := curl ca-certificates iproute2 qrencode
# The crate that tests everything together has a network camera of its own.
WORKSPACE_PACKAGES := $(BUILD_PACKAGES) libgstrtspserver-1.0-dev
TEST_PACKAGES := chromium firefox-esr libegl1 libgl1-mesa-dri fonts-dejavu-core coturn iproute2 pebble pulseaudio \
	gstreamer1.0-pulseaudio gstreamer1.0-alsa gstreamer1.0-tools nftables redis-server
# Finds out which libraries a binary needs.
PACKAGE_PACKAGES := dpkg-dev

PORT ?= 8080

# A program of tests that hangs ends nothing but itself; the longest takes three minutes where nothing else runs.
ENDS := ["timeout", "--kill-after=10", "1500"]

# Two goals at once would fight over the package manager.
.NOTPARALLEL:
NPM := npm --no-audit --no-fund --no-update-notifier
INSTALL := scripts/install-packages.sh

DENY_VERSION := 0.20.2
DENY := target/tools/bin/cargo-deny
DEB_VERSION := 3.7.0
DEB := target/tools/bin/cargo-deb
CYCLONEDX_VERSION := 0.5.9
CYCLONEDX := target/tools/bin/cargo-cyclonedx

FUZZ_VERSION := 0.13.2
FUZZ := target/tools/bin/cargo-fuzz
# Of each way in.
FUZZ_SECONDS ?= 60
FUZZ_PROGRAMS = target/fuzz/$(shell rustc -vV | sed -n 's/^host: //p')/release

VIEWER_SOURCES := $(shell find web-viewer protocol/fixtures -type f -not -path '*/node_modules/*' -not -path '*/dist/*')

.PHONY: help
help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

.PHONY: demo
demo: build-packages demo-packages viewer ## Show the synthetic 360° camera live in a browser
	@echo "==> building (the first time takes some minutes)"
	cargo build --release --locked -p server -p broadcaster
	@scripts/demo.sh target/release $(PORT)

.PHONY: test
test: workspace-packages test-packages viewer tests/browser/node_modules/.installed ## Run all tests
	@echo "==> testing the page's modules"
	cd web-viewer && $(NPM) test
	@echo "==> building the tests, and the binaries that they start"
	cargo build --workspace --all-targets --locked
	@echo "==> testing the crates, and robot, server and viewers together"
	cargo test --workspace --locked --config 'target."cfg(unix)".runner = $(ENDS)'
	@echo "==> testing the page in Chromium"
	cd tests/browser && $(NPM) test

.PHONY: test-scale
test-scale: workspace-packages test-packages viewer tests/browser/node_modules/.installed ## Test and measure several servers, and a real LiveKit
	@echo "==> building (the first time takes some minutes)"
	cargo build --release --locked -p server -p broadcaster
	cargo test --release --locked -p server --test cluster --no-run
	cargo test --release --locked -p tests --test sfu --no-run
	cargo test --release --locked -p server --test cluster -- --include-ignored --test-threads 1 --nocapture
	@scripts/test-sfu.sh

.PHONY: torture
torture: workspace-packages test-packages viewer ## Put all of it under fire: networks, faults, a soak, a fuzzer (as root)
	@echo "==> building (the first time takes some minutes)"
	cargo build --release --locked -p server -p broadcaster -p tests -p torture
	@scripts/torture.sh target/release/torture

.PHONY: screenshots
screenshots: workspace-packages test-packages viewer tests/browser/node_modules/.installed ## Take the README's pictures of the page anew
	cargo build --workspace --locked
	cd tests/browser && $(NPM) run screenshots

.PHONY: bench-browser
bench-browser: build-packages test-packages viewer tests/browser/node_modules/.installed ## Measure joins and delay in Chromium
	cargo build --release --locked -p broadcaster -p server
	cd tests/browser && BINARIES=$(CURDIR)/target/release $(NPM) run bench -- latency

.PHONY: bench-drawing
bench-drawing: build-packages test-packages viewer tests/browser/node_modules/.installed ## Measure drawing beside three.js, and hold it to that
	@echo "==> measuring (8 minutes where software draws; what else this machine does shows)"
	cd tests/browser && $(NPM) run bench -- drawing

.PHONY: bench
bench: build-packages ## Measure what a viewer costs, beside what it must cost, and drawing
	@echo "==> building (the first time takes some minutes)"
	cargo build --release --locked --package bench
	@echo "==> measuring what is done once for all viewers"
	cargo bench --locked --package bench --bench media -- --quiet --warm-up-time 1 --measurement-time 3
	@echo "==> measuring viewers (5 minutes; what else this machine does shows)"
	@target/release/bench
	@$(MAKE) --no-print-directory bench-drawing

.PHONY: bench-server
bench-server: workspace-packages viewer ## Measure what many viewers cost the server, and hold it to that
	@echo "==> building (the first time takes some minutes)"
	cargo test --release --locked --package server --test load --no-run
	@echo "==> measuring (4 minutes; what else this machine does shows, and may fail it)"
	cargo test --release --locked --package server --test load -- --include-ignored --nocapture --test-threads 1

.PHONY: bench-capture
bench-capture: build-packages ## Measure what a camera costs, beside its encoders
	@echo "==> building (the first time takes some minutes)"
	cargo build --release --locked --package bench
	@echo "==> measuring (2 minutes; what else this machine does shows)"
	@target/release/bench capture

.PHONY: fuzz
fuzz: workspace-packages viewer $(FUZZ) ## Try what comes from outside with bytes of a fuzzer's making
	@echo "==> building (the first time takes some minutes)"
	@# The fuzzer's instrumentation is not stable Rust's; this compiler has it all the same.
	RUSTC_BOOTSTRAP=1 $(FUZZ) fuzz build --features libfuzzer --debug-assertions --target-dir target/fuzz
	@echo "==> trying each way in for $(FUZZ_SECONDS) seconds"
	@scripts/fuzz.sh $(FUZZ_PROGRAMS) $(FUZZ_SECONDS)

.PHONY: lint
lint: workspace-packages viewer tests/browser/node_modules/.installed $(DENY) ## Check format, types, lints, docs, lock files and licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@# The workspace's fuzz targets bring in what is not shipped.
	cargo clippy --package server --package broadcaster --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	$(DENY) --log-level warn check bans licenses sources
	node scripts/check-locks.mjs
	scripts/check-units.sh
	cd web-viewer && $(NPM) run check && $(NPM) run lint && $(NPM) run format:check
	cd tests/browser && $(NPM) run check && $(NPM) run lint && $(NPM) run format:check

.PHONY: audit
audit: $(DENY) ## Ask what is known to be wrong with crates and npm packages, before a release
	@scripts/audit.sh $(DENY)

.PHONY: build
build: workspace-packages viewer ## Build everything for development
	cargo build --workspace --locked

.PHONY: package
package: build-packages package-packages viewer $(DEB) $(CYCLONEDX) ## Build a Debian package of each program, in target/debian
	@echo "==> building what is shipped (the first time takes some minutes)"
	cargo build --profile shipped --locked -p server -p broadcaster
	@echo "==> listing what each is made of"
	@mkdir -p target/debian
	node scripts/sbom.mjs write $(CYCLONEDX)
	$(DEB) --no-build --locked --package server
	$(DEB) --no-build --locked --package broadcaster
	node scripts/sbom.mjs check

.PHONY: viewer
viewer: web-viewer/dist/index.html ## Build the page that the server carries

web-viewer/dist/index.html: web-viewer/node_modules/.installed $(VIEWER_SOURCES)
	@echo "==> building the page"
	cd web-viewer && $(NPM) run build
	@touch $@

%/node_modules/.installed: %/package-lock.json
	@node -e 'const [major, minor] = process.versions.node.split("."); process.exit(+major > 20 || (+major === 20 && +minor >= 19) ? 0 : 1)' \
		|| { echo "node 20.19 or later is needed; this is $$(node --version)" >&2; exit 1; }
	@echo "==> installing npm packages for $*"
	cd $* && $(NPM) ci
	@touch $@

$(DENY):
	@echo "==> building cargo-deny $(DENY_VERSION), which is used too briefly to be worth optimizing"
	cargo install --quiet --locked --debug --version $(DENY_VERSION) --root target/tools cargo-deny

$(FUZZ):
	@echo "==> building cargo-fuzz $(FUZZ_VERSION), which is used too briefly to be worth optimizing"
	cargo install --quiet --locked --debug --version $(FUZZ_VERSION) --root target/tools cargo-fuzz

$(DEB):
	@echo "==> building cargo-deb $(DEB_VERSION)"
	cargo install --quiet --locked --version $(DEB_VERSION) --root target/tools cargo-deb

$(CYCLONEDX):
	@echo "==> building cargo-cyclonedx $(CYCLONEDX_VERSION), which is used too briefly to be worth optimizing"
	cargo install --quiet --locked --debug --version $(CYCLONEDX_VERSION) --root target/tools cargo-cyclonedx

.PHONY: build-packages workspace-packages demo-packages test-packages package-packages
build-packages:
	@$(INSTALL) $(BUILD_PACKAGES)
workspace-packages:
	@$(INSTALL) $(WORKSPACE_PACKAGES)
demo-packages:
	@$(INSTALL) $(DEMO_PACKAGES)
test-packages:
	@$(INSTALL) $(TEST_PACKAGES)
package-packages:
	@$(INSTALL) $(PACKAGE_PACKAGES)
