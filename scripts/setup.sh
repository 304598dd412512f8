# What the other scripts have in common: packages of the distribution, and the virtual environment. Sourced by them.
#
#   need_packages haproxy:haproxy h2load:nghttp2-client    # command:package, installed where the command is missing
#   need_venv test                                         # .venv with Portward and a dependency group
#   need_tool sslyze 6.3.1                                 # .venv-sslyze/bin/sslyze
#
# Nothing is done, and no network used, when nothing is missing. PYTHON=/path/to/python3 chooses another Python.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # an ordinary user's PATH lacks what Debian puts there, haproxy for one

say() { echo "$*" >&2; }

fail() {
  say "$1"
  say "  → $2"
  exit 7
}

need_packages() {
  local missing=() pair
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  if ((${#missing[@]})); then
    install_packages "${missing[@]}"
  fi
}

install_packages() {
  local become=()
  command -v apt-get >/dev/null ||
    fail "these programs are missing, and this is not a Debian or Ubuntu: $*" "install them, then start again"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "packages are missing, and there is no sudo" "as root: apt-get install $*"
    become=(sudo)
    say "installing with sudo: $*"
  else
    say "installing: $*"
  fi
  "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
  "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2
  stop_services "$@"
}

# Debian starts a server when it is installed; we want the program only.
stop_services() {
  local package
  [[ -d /run/systemd/system ]] || return 0
  for package in "$@"; do
    case $package in
      haproxy) "${become[@]}" systemctl disable --quiet --now haproxy ;;
      fail2ban) "${become[@]}" systemctl disable --quiet --now fail2ban ;;
      nginx-light) "${become[@]}" systemctl disable --quiet --now nginx ;;
    esac
  done
}

need_venv() {
  local python
  if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv
    say "creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
  fi
  install_once portward -e "$root"
  local group
  for group in "$@"; do
    install_once "$group" --group "$root/pyproject.toml:$group"
  done
}

# Data about countries, beside the program; once for each version of them. Without, all but rules about countries works.
# By npm where it is there, as people who have it have set it up for their network; by HTTPS otherwise.
shipped_countries() (
  fetch=("$venv/bin/python" -m portward.defense.geo.fetch --shipped)
  command -v npm >/dev/null || exec "${fetch[@]}"
  name=$("$venv/bin/python" -c 'from portward.defense.geo.shipped import COUNTRIES; print(COUNTRIES.name.replace(" ", "@"))')
  directory=$(mktemp -d)
  trap 'rm -r "$directory"' EXIT
  cd "$directory"
  file=$(npm pack --silent "$name") && "${fetch[@]}" "$directory/$file"
)

need_countries() {
  local stamp=$venv/.installed-countries content
  content=$(sha256sum <"$root/src/portward/defense/geo/shipped.py")
  [[ $(cat "$stamp" 2>/dev/null) != "$content" ]] || return 0
  say "fetching data about countries (5 MB)"
  if shipped_countries; then
    echo "$content" >"$stamp"
  else
    say "warning: there are no data about countries; \`portward geo update\` brings them when rules ask for them"
  fi
}

# The SSH client of Node.js that the tests of tunnels use; npm, once for each content of its lock file.
need_node_clients() {
  local directory=$root/tests/lives/node stamp content
  stamp=$directory/node_modules/.installed
  content=$(sha256sum <"$directory/package-lock.json")
  [[ $(cat "$stamp" 2>/dev/null) != "$content" ]] || return 0
  say "installing the SSH client of Node.js"
  (cd "$directory" && npm ci --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error)
  echo "$content" >"$stamp"
}

# A Python program in an environment of its own, since it wants other versions of what Portward stands on.
need_tool() {
  local name=$1 version=$2 place=$root/.venv-$1
  [[ $(cat "$place/.installed" 2>/dev/null) != "$version" ]] || return 0
  say "installing $name $version"
  "$(find_python)" -m venv --clear "$place"
  "$place/bin/python" -m pip install --quiet --disable-pip-version-check "$name==$version"
  echo "$version" >"$place/.installed"
}

find_python() {
  local python
  for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  fail "Portward needs Python 3.11 or newer; python3 is $(python3 --version 2>&1 || true)" \
    "install a newer one, and name it: PYTHON=/path/to/python3 $0"
}

# pip, once for each content of pyproject.toml. `pip install --group` came with pip 25.1.
install_once() {
  local stamp=$venv/.installed-$1 content
  content=$(sha256sum <"$root/pyproject.toml")
  [[ $(cat "$stamp" 2>/dev/null) != "$content" ]] || return 0
  say "installing Python packages: $1"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}"
  echo "$content" >"$stamp"
}
