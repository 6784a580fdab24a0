#!/bin/bash
# Gets Debian's source package of nng, patches it, and prints where it stands.
#
#   fetch.sh CACHE PATCHES RELEASE VERSION
#
# CACHE is a directory of ours; PATCHES holds our *.patch files, made for upstream VERSION, which is the one of Debian
# RELEASE. Everything is kept in CACHE: the source package, and one tree for each set of patches, so that a second run
# prints and does nothing else. apt is asked with lists and sources of its own, made from the machine's Debian archive:
# nothing of the system changes, and no root is needed. apt checks the archive's signature, and the package against the
# archive.
set -euo pipefail

cache=$1 patches=$2 release=$3 version=$4

die() {
    echo "fetch.sh: $*" >&2
    exit 1
}

# apt-get, with a state, a cache and sources of its own.
private_apt() {
    apt-get -q -o Dir::Etc::SourceList="$cache/apt/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$cache/apt/lists" -o Dir::Cache="$cache/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none "$@"
}

# The machine's Debian archive has the sources of its other releases too: one deb-src line for each suite of the
# machine's own release, with the name of ours. apt itself reads the machine's sources, so both of their formats work.
# Whatever a third party serves is left out: by its origin, its suite and its key.
write_sources() {
    local codename keyring=/usr/share/keyrings/debian-archive-keyring.gpg signed=''
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    [ -n "$codename" ] || die "no release name in /etc/os-release"
    if [ -r $keyring ]; then signed="[signed-by=$keyring] "; fi
    # shellcheck disable=SC2016  # the names in the format are apt's
    apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|' 'Created-By: Packages' |
        awk -F'|' -v codename="$codename" -v release="$release" -v signed="$signed" '
            ($1 == "Debian" || $1 == "" || $1 == "$(ORIGIN)") && $4 == "main" &&
            ($3 == codename || $3 == codename "-security" || $3 == codename "-updates") {
                print "deb-src " signed $2 " " release substr($3, length(codename) + 1) " main"
            }' | sort -u >"$cache/apt/sources.list"
    [ -s "$cache/apt/sources.list" ] || die "apt knows no Debian archive for '$codename'"
}

download() {
    mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial" "$cache/package"
    write_sources
    private_apt update
    (cd "$cache/package" && private_apt source --download-only --only-source nng)
    rm -rf "$cache/apt"
}

# Prints the one .dsc of the wanted version, or nothing.
find_package() {
    find "$cache/package" -name "nng_$version-*.dsc" 2>/dev/null | sort -V | tail -n 1
}

unpack() {
    local dsc=$1 tree=$2 patch
    rm -rf "$tree.new"
    dpkg-source --no-copy -x "$dsc" "$tree.new"
    for patch in "$patches"/*.patch; do
        patch --batch --forward --directory "$tree.new" -p1 <"$patch" || die "$patch does not apply"
    done
    rm -rf "$tree"
    mv "$tree.new" "$tree"
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

tree=$cache/nng-$version-$(cat "$patches"/*.patch | sha256sum | cut -c 1-12)
if [ ! -d "$tree" ]; then
    log=$cache/log
    {
        [ -n "$(find_package)" ] || download
        dsc=$(find_package)
        [ -n "$dsc" ] || die "Debian $release has no nng $version"
        unpack "$dsc" "$tree"
    } >"$log" 2>&1 || {
        cat "$log" >&2
        die "no source of nng"
    }
fi
echo "$tree"
