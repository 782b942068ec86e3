#!/usr/bin/env bash
# Unpacks Debian's Slurm and munge, with what they need and this system lacks, into out/slurm: nothing is installed, nothing is
# started, and no rights are needed. Does nothing where they are installed or unpacked already; says what failed otherwise.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(slurmctld slurmd slurm-client munge)
if [[ -x /usr/sbin/slurmctld && -x /usr/sbin/slurmd && -x /usr/bin/sbatch && -x /usr/sbin/munged ]]; then exit 0; fi
if [[ -d out/slurm ]]; then exit 0; fi

failed() {
  echo "test/slurm/unpack.sh: $1" >&2
  exit 1
}
command -v apt-get >/dev/null && command -v dpkg >/dev/null || failed 'there is no apt-get to fetch Slurm with'
missing=$(apt-get install -s --no-install-recommends "${packages[@]}" 2>/dev/null | awk '/^Inst/ { print $2 }') ||
  failed "apt-get does not know ${packages[*]} (apt-get update was not run, or this is no Debian)"

mkdir -p out
beside=$(mktemp -d out/slurm.XXXXXX)
trap 'rm -rf "$beside"' EXIT
# Apt's own user, which root would have fetch them, cannot write here.
(cd "$beside" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=1 -o Acquire::http::Timeout=10 $missing >/dev/null) ||
  failed 'apt-get download failed'
for package in "$beside"/*.deb; do
  dpkg -x "$package" "$beside/root" || failed "dpkg could not unpack $package"
done
mv -T "$beside/root" out/slurm 2>/dev/null || [[ -d out/slurm ]] || failed 'out/slurm could not be made'
