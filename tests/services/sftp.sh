#!/usr/bin/env bash
# sftp.sh start DIR | stop DIR: an SSH server on which the account `openreg-sftp` can do SFTP below its root and nothing
# else; log-in by password and by key. DIR/env gives SFTP_HOST SFTP_PORT SFTP_USER SFTP_PASSWORD SFTP_KEY (file)
# SFTP_HOST_KEY (public, as hostKeys wants it) SFTP_ROOT (on this machine; /in below it is writable).
STOP_WHOM=- # the group: sessions too
source "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || fail "needs root: it makes an account"
[ -x /usr/sbin/sshd ] || fail "no sshd: run scripts/packages.sh"
user=openreg-sftp
password=$(secret)
port=$(free_port)
# sshd takes no root whose parents another account may write, or cannot enter.
root=$(mktemp -d /tmp/openreg-sftp.XXXXXX)
echo "$root" >"$DIR/data"
id $user >/dev/null 2>&1 || useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin $user 2>/dev/null || id $user >/dev/null
# /tmp is writable by all, and so is no parent for a root: sshd is given its own view of it.
mkdir -p "$root/files" /run/sshd
ssh-keygen -q -t ed25519 -N '' -C '' -f "$DIR/host"
ssh-keygen -q -t ed25519 -N '' -C '' -f "$DIR/client"
cat >"$DIR/start" <<'END'
#!/bin/bash
# In a mount namespace of its own: the root is at /srv, whose parents belong to root alone; the account's password is
# this server's only, so that two servers do not change each other's.
set -euo pipefail
mount -t tmpfs -o mode=755,size=1m tmpfs /srv
mkdir -p /srv/sftp
mount --bind "$1/files" /srv/sftp
cp /etc/shadow "$1/shadow"
chown root:shadow "$1/shadow"
chmod 640 "$1/shadow"
hash=$(openssl passwd -6 -stdin <<<"$3")
sed -i "s|^$2:[^:]*:|$2:$hash:|" "$1/shadow"
mount --bind "$1/shadow" /etc/shadow
exec /usr/sbin/sshd -D -e -f "$4/sshd_config"
END
chmod 755 "$root" "$root/files"
install -d -o $user -g nogroup -m 755 "$root/files/in"
install -m 644 "$DIR/client.pub" "$root/authorized_keys"
cat >"$DIR/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $DIR/host
PidFile none
AuthorizedKeysFile $root/authorized_keys
StrictModes no
AllowUsers $user
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
MaxStartups 200
Subsystem sftp internal-sftp
ChrootDirectory /srv/sftp
ForceCommand internal-sftp
AllowTcpForwarding no
X11Forwarding no
END
RECOGNISE="$DIR/s" launch unshare --mount bash "$DIR/start" "$root" $user "$password" "$DIR"
await listening "$port"
cat >"$DIR/env" <<END
export SFTP_HOST=127.0.0.1 SFTP_PORT=$port SFTP_USER=$user SFTP_PASSWORD=$password SFTP_KEY=$DIR/client
export SFTP_HOST_KEY="$(cut -d' ' -f1,2 "$DIR/host.pub")" SFTP_ROOT=$root/files
END
echo "sftp: 127.0.0.1:$port"
