# device.sh - sourced by the scripts of this folder: ends them where no GPU is.
# shellcheck shell=sh disable=SC2034
if ! device=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null) || [ -z "$device" ]; then
    echo "SKIP: this host has no GPU, or no driver for it (nvidia-smi)"
    exit 0
fi
