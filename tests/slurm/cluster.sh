#!/usr/bin/env bash
# A real Slurm on this machine, for tests: four nodes of eight pretend GPUs each, on the loopback interface.
#
#     tests/slurm/cluster.sh up FOLDER      (make slurm-up)     start it; whatever it keeps lies in FOLDER
#     tests/slurm/cluster.sh down FOLDER    (make slurm-down)   stop it, and every job on it
#     tests/slurm/cluster.sh check          say in one line what is missing here, or nothing
#
# Needs root and Debian's packages slurmctld, slurmd, slurm-client and munge; no systemd. Its two files are linked
# into /etc/slurm while it is up: SLURM_CONF alone gets lost inside jobs.
set -euo pipefail
OURS="# The test cluster of echochamber"

check() {
    local missing=()
    for program in slurmctld slurmd sbatch munged; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        echo "Slurm is not installed (no ${missing[*]}): apt-get install slurmctld slurmd slurm-client munge"
    elif [ "$(id -u)" != 0 ]; then
        echo "starting a Slurm needs root"
    elif [ -e /etc/slurm/slurm.conf ] && ! grep -q "^$OURS" /etc/slurm/slurm.conf; then
        echo "/etc/slurm/slurm.conf is that of another Slurm"
    fi
}

configure() {
    mkdir -p "$folder"/{etc,state,log,run,dev,spool/n1,spool/n2,spool/n3,spool/n4}
    # Device files, or CUDA_VISIBLE_DEVICES is not set in jobs: each is another /dev/null.
    for gpu in $(seq 0 7); do [ -e "$folder/dev/gpu$gpu" ] || mknod "$folder/dev/gpu$gpu" c 1 3; done
    echo "NodeName=n[1-4] Name=gpu Type=a100 File=$folder/dev/gpu[0-7]" >"$folder/etc/gres.conf"
    cat >"$folder/etc/slurm.conf" <<CONF
$OURS
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# How long a requeued job waits, in seconds; the default is 120.
AuthInfo=cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=30
# A node is dead when it has not answered for so many seconds: on a busy machine ten are too few.
SlurmdTimeout=20
InactiveLimit=0
KillWait=20
MinJobAge=3600
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=n[1-4] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[17001-17004] CPUs=16 RealMemory=16000 Gres=gpu:a100:8 State=UNKNOWN
PartitionName=gpu Nodes=n[1-4] Default=YES MaxTime=1-00:00:00 DefaultTime=10 DefMemPerCPU=200 State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=scavenge Nodes=n[1-4] MaxTime=1-00:00:00 DefMemPerCPU=200 State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=scavenge-now Nodes=n[1-4] MaxTime=1-00:00:00 DefMemPerCPU=200 State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
CONF
}

up() {
    local missing
    missing=$(check)
    [ -z "$missing" ] || { echo "$missing" >&2; exit 1; }
    local other
    other=$(readlink /etc/slurm/slurm.conf) && (folder=${other%/etc/slurm.conf} && down)
    configure
    mkdir -p /etc/slurm
    ln -sfn "$folder"/etc/{slurm,gres}.conf /etc/slurm/
    if ! munge --no-input >/dev/null 2>&1; then
        install -d -o munge -g munge -m 0755 /run/munge /var/log/munge
        setpriv --reuid munge --regid munge --clear-groups munged --pid-file /run/munge/munged.pid
    fi
    slurmctld -c
    for node in n1 n2 n3 n4; do slurmd -N "$node"; done
    for _ in $(seq 100); do
        [ "$(sinfo --noheader --Node --partition gpu --states idle --format %n 2>/dev/null | wc -l)" = 4 ] && return
        sleep 0.2
    done
    echo "the nodes do not come up; the logs are in $folder/log" >&2
    exit 1
}

down() {
    [ -d "$folder" ] || return 0
    if [ -s "$folder/run/slurmctld.pid" ] && kill -0 "$(cat "$folder/run/slurmctld.pid")" 2>/dev/null; then
        scancel --user root 2>/dev/null || true
        for _ in $(seq 100); do
            [ -n "$(squeue --noheader --states running,completing 2>/dev/null)" ] || break
            sleep 0.2
        done
    fi
    for file in "$folder"/run/*.pid; do
        [ -s "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    done
    for file in slurm gres; do
        [ "$(readlink /etc/slurm/$file.conf)" != "$folder/etc/$file.conf" ] || rm /etc/slurm/$file.conf
    done
}

case "${1:-}" in
up | down)
    mkdir -p "$2"
    folder=$(realpath "$2")
    "$1"
    ;;
check) check ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
