# shellcheck shell=sh disable=SC2154
# nfs.sh - sourced after tap.sh by tests with NFS clients of their own, which are
# kernels under user-mode Linux.

# needs_nfs_clients TIME : SKIPs all unless counts are large (SK_LONG) and clients can be
# started; then $T/modules has their kernel's modules
needs_nfs_clients() {
    [ -n "${SK_LONG:-}" ] || skip_all "takes $1: make check-long"
    [ -z "${SAN:-}" ] || skip_all "sanitizers do not run under user-mode Linux"
    for tool in linux.uml rpcbind exportfs ip; do
        command -v $tool >/dev/null 2>&1 ||
            skip_all "$tool is missing (Debian: user-mode-linux kmod nfs-kernel-server nfs-common rpcbind iproute2)"
    done
    [ -e "$SHARED/tools/uml-run.sh" ] || skip_all "there are no scripts that bring up NFS clients"
    mkdir -p "$T/modules/lib"
    ln -s /usr/lib/uml/modules "$T/modules/lib/modules"
}
