#!/bin/sh
# bootstrap.sh [TARGET]...: installs the Debian packages that Attune is built, tested and run with. Safe to run again: does
# nothing, and needs no root, where all of them are there.
set -eu

# Build: compilers, CMake, Python, the message generator, apt's own source downloads.
build="ca-certificates cmake gcc libc6-dev libsystemd-dev make nanopb ninja-build pkg-config protobuf-compiler \
python3-dev python3-venv"
# The Cortex-M4F node and the machine that it runs on in the tests.
firmware="gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
# The broker of the demo and of the tests, and a client to look over its shoulder.
broker="mosquitto mosquitto-clients"
# Tests and checks.
checks="clang clang-format cppcheck git libclang-rt-14-dev libcmocka-dev shellcheck strace"
# A second implementation of Noise, with published vectors, and what builds it.
second_noise="golang-go golang-github-flynn-noise-dev"
# A virtual machine with a whole Debian in it: only for the target that boots one.
machine="e2fsprogs mmdebstrap qemu-system-x86"
# Debian packages are built in a root of their release, and looked at on this machine.
packages="autopkgtest iproute2 lintian mmdebstrap piuparts"
wanted="$build $firmware $broker $checks $second_noise"
case " $* " in
    *" test-vm "*) wanted="$wanted $machine" ;;
esac
case " $* " in
    *" deb "* | *" debs "* | *" lintian "* | *" piuparts "* | *" test-vm "*) wanted="$wanted $packages" ;;
esac

missing_packages() {
    # A package that others merely suggest is known to dpkg too: only the status "ii" means that it is there.
    # shellcheck disable=SC2086  # one word a package
    installed=" $(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null |
        sed -n 's/^ii *//p' | tr '\n' ' ' || true)"
    for package in $wanted; do
        case "$installed" in
            *" $package "*) ;;
            *) printf '%s ' "$package" ;;
        esac
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        echo "Debian packages are missing: $missing" >&2
        echo "Install them as root (apt-get install $missing), then run this command again." >&2
        exit 1
    fi
}

install_missing() {
    # shellcheck disable=SC2086  # one word a package
    as_root apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing
}

if ! command -v dpkg-query >/dev/null; then
    echo "Attune is built on Debian 12, and this machine has no dpkg. Use a Debian 12 machine or container." >&2
    exit 1
fi
missing=$(missing_packages)
[ -n "$missing" ] || exit 0

echo "Installing Debian packages: $missing"
# Lists that are absent or old name packages that are no longer served; only then is it worth fetching them.
# shellcheck disable=SC2086  # one word a package
if ! apt-get -qq --simulate install --no-install-recommends $missing >/dev/null 2>&1 || ! install_missing; then
    as_root apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 update
    install_missing
fi
