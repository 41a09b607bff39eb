#!/bin/sh
# Asks what is known to be wrong with what Panocast is made of: RustSec's database, the registry of crates and that of npm.
# Ends with 1 when something is, and with 3 when nothing was found but not all could be asked.
# Usage: [ADVISORY_DB=FOLDER] audit.sh CARGO-DENY
#   ADVISORY_DB    a clone of https://github.com/RustSec/advisory-db, where that cannot be reached; 14 days old at most
set -eu

deny=$1
# What this release of cargo-deny calls that database.
database=advisory-db-3157b0e258782691
known=""
unasked=""
# Not below the checkout: what of git runs in a folder that is no repository's runs for the one around it.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

not_checked() {
    unasked=yes
    echo "NOT CHECKED: $1" >&2
}

# Looks into the database in FOLDER, and at which crates were withdrawn; false where there is no such database.
check_crates() {
    sed "s|^\[advisories\]\$|&\ndb-path = \"$1\"|" deny.toml >"$scratch/deny.toml"
    "$deny" --offline --log-level error --config "$scratch/deny.toml" check advisories --deny index-failure >"$scratch/said" 2>&1 || true
    if grep -q 'advisories ok' "$scratch/said"; then
        return
    fi
    cat "$scratch/said" >&2
    grep -q 'advisories FAILED' "$scratch/said" || return
    if grep -q '^error\[index-failure\]' "$scratch/said"; then
        not_checked "which crates were withdrawn. Their registry did not say so of all."
    fi
    if grep '^error' "$scratch/said" | grep -qv '^error\[index-failure\]'; then
        known=yes
    fi
}

echo "==> asking which crates were withdrawn, and what is known of them"
cargo fetch --quiet --locked
# Asks anew what the registry has, and changes nothing.
cargo update --quiet --dry-run || not_checked "which crates were withdrawn since their registry was last asked. The reason is above."
folder=""
if [ -n "${ADVISORY_DB:-}" ]; then
    folder=$scratch/given
    mkdir "$folder"
    ln -s "$(realpath "$ADVISORY_DB")" "$folder/$database"
elif "$deny" --log-level off fetch db 2>/dev/null; then
    folder=${CARGO_HOME:-$HOME/.cargo}/advisory-dbs
fi
if [ -z "$folder" ] || ! check_crates "$folder"; then
    not_checked "advisories about crates. ${ADVISORY_DB:-"RustSec's database"} cannot be read; ADVISORY_DB=FOLDER names a clone of it."
    # Which crates were withdrawn, cargo-deny says only beside a database. This one knows nothing of any crate.
    mkdir -p "$scratch/empty/$database/crates/none" "$scratch/empty/$database/.git"
    : >"$scratch/empty/$database/.git/FETCH_HEAD"
    cat >"$scratch/empty/$database/crates/none/RUSTSEC-1970-0001.md" <<'END'
```toml
[advisory]
id = "RUSTSEC-1970-0001"
package = "none"
date = "1970-01-01"
[versions]
patched = []
```
# Nothing
END
    check_crates "$scratch/empty" || not_checked "which crates were withdrawn. The reason is above."
fi

for folder in web-viewer tests/browser; do
    echo "==> asking what is known of the npm packages of $folder"
    if (cd "$folder" && npm audit --package-lock-only --no-update-notifier) >"$scratch/said" 2>"$scratch/error"; then
        continue
    fi
    if grep -q '^npm error' "$scratch/error"; then
        grep '^npm error' "$scratch/error" | head -n 1 >&2
        not_checked "advisories about the npm packages of $folder. The registry did not answer; npm_config_registry=URL names another."
    else
        cat "$scratch/said" >&2
        known=yes
    fi
done

if [ -n "$known" ]; then
    echo "Something is known to be wrong; it is above." >&2
    exit 1
elif [ -n "$unasked" ]; then
    echo "Nothing was found, but NOT ALL WAS CHECKED; what was not is above." >&2
    exit 3
fi
echo "Nothing is known to be wrong."
