#!/bin/sh
# The main job on the bundled demo forum, from an empty folder to a reward list: sh docs/demo/run.sh BIN
# BIN is the folder with the `precipitate` command. Each command is printed before what it says.
set -eu

bin=$(cd "${1:?usage: sh docs/demo/run.sh BIN}" && pwd)
demo=$(cd "$(dirname "$0")" && pwd)
PATH="$bin:$PATH"
cd "$demo/../.."

say() {
    printf '\n$ precipitate'
    for word in "$@"; do
        case $word in
            *' '*) printf ' "%s"' "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
}

try() {
    say "$@"
    precipitate "$@"
}

# Only a workspace of an earlier demo is removed.
if [ -e demo-round ] && [ ! -d demo-round/.precipitate ]; then
    echo "$(pwd)/demo-round is there and no workspace; move it away" >&2
    exit 1
fi
rm -rf demo-round

try init demo-round
cd demo-round
printf '$ cd demo-round\n'
try add ../docs/demo/forum
try run
try list

say search "how do I apply for a grant"
found=$(precipitate search "how do I apply for a grant")
printf '%s\n' "$found"
first=$(printf '%s\n' "$found" | sed -n '1s/ .*//p')

try show "$first"
try sources
try identity import ../docs/demo/payees.csv
# The token is an example: any ERC-20 contract's address, or "native".
try round new r1 --budget 10000 --token 0x52908400098527886E0F7030069857D2E4169EE7 --decimals 18
try round allocate r1
try round audit r1
try why wrenfield r1
try export payouts --format safe-csv --round r1
printf '\nThe workspace is %s: look around with precipitate --help.\n' "$(pwd)"
