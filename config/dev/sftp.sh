#!/bin/bash
# Starts an SSH server on which the account `bank` can do SFTP below its root and nothing else.
set -euo pipefail
root=/srv/sftp
install -d -o root -g root -m 755 $root /run/sshd
id bank >/dev/null 2>&1 || useradd --no-create-home --home-dir / --shell /usr/sbin/nologin bank
echo "bank:$SFTP_PASSWORD" | chpasswd
install -d -o bank -g bank -m 755 $root/in
# A volume of 8 MiB, for what happens when a receiver's disk is full.
[ ! -d $root/full ] || chown bank:bank $root/full
install -d -m 755 /etc/ssh/authorized
printf '%s\n' "$SFTP_CLIENT_KEY" >/etc/ssh/authorized/bank
install -m 600 /keys/ssh_host_ed25519_key /etc/ssh/ssh_host_ed25519_key
cat >/etc/ssh/sshd_config <<CONFIG
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized/%u
AllowUsers bank
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
MaxStartups 200
Subsystem sftp internal-sftp
ChrootDirectory $root
ForceCommand internal-sftp
AllowTcpForwarding no
X11Forwarding no
CONFIG
exec /usr/sbin/sshd -D -e
