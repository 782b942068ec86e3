#!/usr/bin/env bash
# Unpacks packages of Debian, with what they need and this system lacks, into out/: `slurm` (with munge), `ssh` (client and
# server), or `vulkan` (its loader, and the driver that computes on the processor). Nothing is installed, nothing is started, and no rights are needed. Does nothing where they are installed or unpacked
# already; says what failed otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-slurm}
case $what in
  slurm)
    packages=(slurmctld slurmd slurm-client munge)
    programs=(/usr/sbin/slurmctld /usr/sbin/slurmd /usr/bin/sbatch /usr/sbin/munged)
    ;;
  ssh)
    packages=(openssh-server openssh-client)
    programs=(/usr/sbin/sshd /usr/bin/ssh /usr/bin/ssh-keygen)
    ;;
  vulkan)
    packages=(libvulkan1 mesa-vulkan-drivers)
    # Not where they are installed: other tests would find a graphics card then.
    programs=(out/vulkan/usr/lib/*/libvulkan_lvp.so)
    ;;
esac
for program in "${programs[@]}"; do
  [[ -x $program ]] || missing=yes
done
if [[ -z ${missing:-} || -d out/$what ]]; then exit 0; fi

failed() {
  echo "test/unpack.sh: $1" >&2
  exit 1
}
command -v apt-get >/dev/null && command -v dpkg >/dev/null || failed "there is no apt-get to fetch $what with"
missing=$(apt-get install -s --no-install-recommends "${packages[@]}" 2>/dev/null | awk '/^Inst/ { print $2 }') ||
  failed "apt-get does not know ${packages[*]} (apt-get update was not run, or this is no Debian)"

mkdir -p out
beside=$(mktemp -d "out/$what.XXXXXX")
trap 'rm -rf "$beside"' EXIT
# Apt's own user, which root would have fetch them, cannot write here.
(cd "$beside" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=1 -o Acquire::http::Timeout=10 $missing >/dev/null) ||
  failed 'apt-get download failed'
for package in "$beside"/*.deb; do
  dpkg -x "$package" "$beside/root" || failed "dpkg could not unpack $package"
done
mv -T "$beside/root" "out/$what" 2>/dev/null || [[ -d out/$what ]] || failed "out/$what could not be made"
