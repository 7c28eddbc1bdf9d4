# Offers the next minor version of PostgreSQL in the machine's own repository, and tells it: the package as it is installed,
# with that version in its name and in its programs, which tell it and compare it with each other's.
set -eu
package=postgresql-15 tree=$(mktemp -d)
version=$(dpkg-query --show --showformat='${Version}' $package)
minor=$(printf %s "$version" | sed -E 's/^15\.([0-9]+).*/\1/')
next=$((minor + 1))
dpkg --listfiles $package | while read -r path; do
  if [ -d "$path" ] && [ ! -L "$path" ]; then mkdir -p "$tree$path"; else cp -a "$path" "$tree$path"; fi
done
mkdir "$tree/DEBIAN"
for each in preinst postinst prerm postrm triggers; do
  if [ -e "/var/lib/dpkg/info/$package.$each" ]; then cp "/var/lib/dpkg/info/$package.$each" "$tree/DEBIAN/$each"; fi
done
dpkg-query --show --showformat='Package: ${Package}\nArchitecture: ${Architecture}\nMaintainer: ${Maintainer}\n' $package \
  > "$tree/DEBIAN/control"
dpkg-query --show --showformat='Depends: ${Depends}\nDescription: the next one\n' $package >> "$tree/DEBIAN/control"
printf 'Version: %s\n' "$(printf %s "$version" | sed "s/15\.$minor/15.$next/g")" >> "$tree/DEBIAN/control"
LC_ALL=C sed -i "s/15\.$minor/15.$next/g" "$tree"/usr/lib/postgresql/15/bin/*
cd /srv/repository
dpkg-deb -Zgzip -z1 --build "$tree" next.deb > /dev/null
{ dpkg-deb --field next.deb; printf 'Filename: ./next.deb\nSize: %s\nSHA256: %s\n' "$(stat -c %s next.deb)" \
  "$(sha256sum next.deb | cut -d' ' -f1)"; } > Packages
rm -r "$tree"
printf '15.%s' $next
