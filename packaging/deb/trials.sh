#!/bin/sh
# What may happen to packages on a machine: a disk that is full at each stage of an installation, and `attune` and
# `attune-gateway` in each other's place. Run by try_deb.py as root, in a system that is thrown away, with the packages in
# /build. Ends at the first thing that is not as it should be.
set -u
export LC_ALL=C.UTF-8

# check SENTENCE COMMAND...: the command succeeds.
check() {
    what=$1
    shift
    "$@" >/said.last 2>&1 && return
    echo "not so: $what" >&2
    cat /said /said.last >&2
    exit 1
}
# Whoever is asked about a file that he has changed presses Enter.
installs() { yes '' | dpkg --install "/build/$1.deb" >/said 2>&1; }
fails() { ! installs "$1"; }
said() { grep -q "$1" /said; }
status() { test "$(dpkg-query --show --showformat '${db:Status-Abbrev}' "$1" 2>/dev/null)" = "$2"; }
same() { diff "$1" "$2"; }
gone() { ! ls -d "$@"; }

# Every file with owner and mode, and all users and groups; without what dpkg and this script keep.
everything() {
    find / \( -path /build -o -path /dev -o -path /proc -o -path /run -o -path /sys -o -path '/said*' -o -path /tmp \
        -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/log -o -path '/etc/*-' \) -prune -o \
        -printf '%M %u %g %p\n' | sort
    sort /etc/passwd /etc/group
}

# systemd does not run here: what starts and stops is written down, what is enabled is done.
mkdir -p /run/systemd/system
cat >/usr/local/bin/systemctl <<'END'
#!/bin/sh
case " $* " in
    *" start "* | *" stop "* | *" restart "* | *reload*) echo "$@" >>/said.systemd ;;
    *) SYSTEMD_OFFLINE=1 exec /bin/systemctl "$@" ;;
esac
END
chmod +x /usr/local/bin/systemctl
# The last that it was told to do with the daemon.
told() { grep 'attuned\.service' /said.systemd | tail -n 1 | grep -E " $1 | re$1 "; }

mkdir -p /usr/lib/attune
everything >/tmp/bare

# The disk. It fills up after preinst has seen that there is room: only what dpkg writes to is small.
disk() { mount -o "remount,size=$1" /usr/lib/attune; }
used_kib() { du -sk /usr/lib/attune | cut -f 1; }
modules() { find /usr/lib/attune -name '*.pyc' | wc -l; }
mount -t tmpfs -o mode=755,size=40m tmpfs /usr/lib/attune

check "unpacking fails on a full disk" fails attune
check "dpkg says why" said 'No space left on device'
check "none of it is left" gone /etc/attune /var/lib/attune /usr/bin/attune /usr/lib/attune/bin
disk 1g
check "with room it is installed" installs attune
check "and works" attune --version
full_kib=$(used_kib) compiled=$(modules)
check "with compiled modules" test "$compiled" -gt 1000
dpkg --purge attune >/said 2>&1
everything >/tmp/purged
check "a purge leaves nothing" same /tmp/bare /tmp/purged

disk $((full_kib - 20480))k
check "configuring fails on a full disk" fails attune
check "it says why" said 'attune: /usr/lib/attune could not be compiled: .*No space left on device'
check "and what to do" said 'dpkg --configure -a'
check "it is half configured" status attune 'iF '
disk 1g
check "with room it is finished" dpkg --configure -a
check "and installed" status attune 'ii '
check "with all modules compiled" test "$(modules)" -eq "$compiled"

echo '# by hand' >>/etc/attune/attuned.toml
mkdir -p /var/lib/attune
echo state >/var/lib/attune/state
kept() { sha256sum /etc/attune/attuned.toml /etc/attune/signing/* /var/lib/attune/state; }
kept >/tmp/kept
disk $((full_kib + 4096))k
check "an upgrade fails on a full disk" fails attune
check "dpkg says why the upgrade fails" said 'No space left on device'
check "the old version is there" status attune 'ii '
check "with all its modules" test "$(modules)" -eq "$compiled"
check "and works on" attune --version
check "its daemon was started again" told start
kept >/tmp/kept.now
check "nothing is lost" same /tmp/kept /tmp/kept.now
disk 1g
check "with room it is upgraded" installs attune
kept >/tmp/kept.now
check "and nothing is lost" same /tmp/kept /tmp/kept.now
echo "attune: on a full disk nothing was lost, and what had failed was finished"

dpkg --purge attune >/said 2>&1
umount /usr/lib/attune

# One in the other's place, each with settings that a person and `attune setup` have written.
by_hand() {
    for file in "$@"; do
        echo '# by hand' >>"/etc/attune/$file.toml"
        cp "/etc/attune/$file.toml" "/etc/attune/$file.toml.before-setup"
    done
}
ours() { grep -q '# by hand' "/etc/attune/$1.toml"; }
# Neither forgotten nor masked by the package that went.
starts() { test -e "/etc/systemd/system/multi-user.target.wants/$1.service" && gone "/etc/systemd/system/$1.service"; }

check "a gateway is installed" installs attune-gateway
by_hand gateway
mkdir -p /var/lib/attune-gateway
echo certificate >/var/lib/attune-gateway/certificate
check "attune takes over" installs attune
check "with the gateway's settings" ours gateway
check "the gateway's package is removed, not purged" status attune-gateway 'ic '
dpkg --purge attune-gateway >/said 2>&1
check "purging the gateway's package leaves them" ours gateway
check "and its state" test -e /var/lib/attune-gateway/certificate
check "and its user" getent passwd attune-gateway
check "whose service starts with the machine" starts attune-gateway
check "attune works on" attune --version

by_hand attuned
dpkg --remove attune >/said 2>&1
check "the gateway takes over" installs attune-gateway
check "with its own settings" ours gateway
check "and its service starts with the machine" starts attune-gateway
dpkg --purge attune >/said 2>&1
check "purging attune leaves the gateway's settings" ours gateway
check "and its state there" test -e /var/lib/attune-gateway/certificate
check "but nothing of the daemon" gone /etc/attune/attuned.toml /etc/attune/attuned.toml.before-setup /etc/attune/signing \
    /etc/attune/secrets /var/lib/attune /var/backups/attune
check "nor its users" test -z "$(getent passwd attuned attune-signer)$(getent group attune)"
check "the gateway works on" attune-gateway --help
check "and starts with the machine" starts attune-gateway
dpkg --purge attune-gateway >/said 2>&1
mkdir -p /usr/lib/attune
everything >/tmp/purged
check "a purge of both leaves nothing" same /tmp/bare /tmp/purged
echo "attune and attune-gateway: took each other's place, and a purge of both left nothing"
