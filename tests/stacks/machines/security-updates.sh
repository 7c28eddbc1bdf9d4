# Offers newer versions of packages in the machine's own repository, as Debian's security archive does, and tells which of
# them unattended-upgrades would install. The packages are empty: nothing is installed. Arguments: the packages.
set -eu
cd /srv/repository
: > Packages
for package in "$@"; do
  tree=$(mktemp -d)
  mkdir "$tree/DEBIAN"
  { dpkg-query --show --showformat='Package: ${Package}\nArchitecture: ${Architecture}\nVersion: ${Version}.1\n' "$package"
    printf 'Maintainer: nobody <nobody@example.org>\nDescription: newer\n'; } > "$tree/DEBIAN/control"
  dpkg-deb --build "$tree" "$package.deb" > /dev/null
  rm -r "$tree"
  { dpkg-deb --field "$package.deb"; printf 'Filename: ./%s.deb\nSize: %s\nSHA256: %s\n\n' "$package" \
    "$(stat -c %s "$package.deb")" "$(sha256sum "$package.deb" | cut -d' ' -f1)"; } >> Packages
done
{ printf 'Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nCodename: bookworm-security\nDate: %s\nSHA256:\n %s %s Packages\n' \
  "$(date --utc --rfc-email)" "$(sha256sum Packages | cut -d' ' -f1)" "$(stat -c %s Packages)"; } > Release
apt-get update --quiet=2
unattended-upgrade --dry-run --debug 2>&1 | sed -n 's/^Packages that will be upgraded: //p'
rm Release ./*.deb
: > Packages
apt-get update --quiet=2
