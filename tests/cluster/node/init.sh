#!/usr/bin/env bash
# PID 1 of the node, in network, mount, process, host name and IPC namespaces of its own; started by node.py, with
# RUN (the node's state), CACHE, NODE, IP, SERVICES, CPUS and METRICS_PORT in its environment. All that runs is a child
# of this.
set -euo pipefail
[ $$ = 1 ] || { echo "only as PID 1 of the node's namespaces" >&2; exit 2; }
export PATH=$CACHE/bin:$CACHE/debs/root/usr/bin:$CACHE/debs/root/usr/sbin:$PATH
libraries=$(dirname "$(find "$CACHE/debs/root" -name 'libipset.so.*' -print -quit)")

hostname "$NODE"
# The node's own: /run (sockets, xtables' lock, the pods' network namespaces) and what is written below /var.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns
mount -t overlay -o "lowerdir=/var,upperdir=$RUN/var,workdir=$RUN/var-work" overlay /var
mkdir -p /var/lib/cni /var/log/containers /var/log/pods

# kubelet writes the machine's sysctls where they differ from what it wants: it is shown what it wants.
mkdir -p /run/fake
for pair in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
            kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=/run/fake/${pair//\//-}
  echo "${pair#*=}" > "$file"
  mount --bind "$file" "/proc/sys/${pair%=*}"
done

# Requests of whole CPUs fit a small machine: kubelet counts them in sysfs, and is shown as many NUMA nodes with the
# machine's CPUs each as give the number. Containers get a sysfs with the real ones.
real=$(nproc --all)
nodes=$(( (CPUS + real - 1) / real ))
for n in $(seq 0 $((nodes - 1))); do
  mkdir -p "/run/fake/node/node$n/hugepages"
  cp /sys/devices/system/node/node0/meminfo "/run/fake/node/node$n/"
  seq -s ' ' 10 $((9 + nodes)) > "/run/fake/node/node$n/distance"
  for c in $(seq 0 $((real - 1))); do
    mkdir -p "/run/fake/node/node$n/cpu$c/topology"
    echo "$c" > "/run/fake/node/node$n/cpu$c/topology/core_id"
    echo "$n" > "/run/fake/node/node$n/cpu$c/topology/physical_package_id"
  done
done
echo "0-$((nodes - 1))" | tee /run/fake/node/online > /run/fake/node/possible
[ "$nodes" -lt 2 ] || mount --bind /run/fake/node /sys/devices/system/node
mount --make-rshared /

# One cgroup for all of it, in each hierarchy.
for hierarchy in /sys/fs/cgroup/{cpu,cpuacct,cpuset,memory,devices,freezer,blkio,pids,systemd}; do
  [ -d "$hierarchy" ] || continue
  mkdir -p "$hierarchy/$NAME/system"
  if [ "${hierarchy##*/}" = cpuset ]; then
    for group in "$NAME" "$NAME/system"; do
      cat "$hierarchy/cpuset.cpus" > "$hierarchy/$group/cpuset.cpus"
      cat "$hierarchy/cpuset.mems" > "$hierarchy/$group/cpuset.mems"
    done
  fi
  echo 1 > "$hierarchy/$NAME/system/cgroup.procs"
done
# As much as all pods together: kubelet gives them the shares of as many CPUs as the node claims to have. With 1024 of
# its own beside their 16384, kubelet did not answer metrics-server within 8 s while the pods were busy.
echo $((CPUS * 1024)) > "/sys/fs/cgroup/cpu/$NAME/system/cpu.shares"

ip link set lo up
ip link add kit0 type veth peer name kit1
ip addr add "$IP/24" dev kit0
ip link set kit0 up
ip link set kit1 up
ip route add default dev kit0    # ClusterIPs need a route; nobody is at its other end
sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1

start() {  # name, command: in the background; that it ended is noted
  local name=$1
  shift
  { nohup "$@" >> "$RUN/log/$name.log" 2>&1 < /dev/null || true; echo "$name" >> "$RUN/log/ended"; } &
}

start etcd etcd --data-dir "$RUN/etcd" --unsafe-no-fsync --log-level warn
start containerd containerd --config "$RUN/containerd.toml" --log-level info
start kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --advertise-address "$IP" --secure-port 6443 \
  --tls-cert-file "$RUN/pki/apiserver.crt" --tls-private-key-file "$RUN/pki/apiserver.key" \
  --client-ca-file "$RUN/pki/ca.crt" --authorization-mode Node,RBAC --service-cluster-ip-range "$SERVICES" \
  --allow-privileged=true --enable-admission-plugins NodeRestriction \
  --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$RUN/pki/sa.pub" \
  --service-account-signing-key-file "$RUN/pki/sa.key" \
  --kubelet-client-certificate "$RUN/pki/kubelet-client.crt" --kubelet-client-key "$RUN/pki/kubelet-client.key" \
  --kubelet-preferred-address-types InternalIP \
  --requestheader-client-ca-file "$RUN/pki/ca.crt" --requestheader-allowed-names front-proxy \
  --requestheader-extra-headers-prefix X-Remote-Extra- --requestheader-group-headers X-Remote-Group \
  --requestheader-username-headers X-Remote-User --proxy-client-cert-file "$RUN/pki/front-proxy.crt" \
  --proxy-client-key-file "$RUN/pki/front-proxy.key" --enable-aggregator-routing=true
for _ in $(seq 240); do
  kubectl --kubeconfig "$RUN/admin.conf" get --raw /readyz > /dev/null 2>&1 && break
  sleep 0.5
done
start kube-controller-manager kube-controller-manager --kubeconfig "$RUN/controller-manager.conf" --leader-elect=false \
  --use-service-account-credentials --service-account-private-key-file "$RUN/pki/sa.key" --root-ca-file "$RUN/pki/ca.crt"
start kube-scheduler kube-scheduler --kubeconfig "$RUN/scheduler.conf" --leader-elect=false
for _ in $(seq 120); do
  [ -S /run/containerd/containerd.sock ] && break
  sleep 0.25
done
ctr -a /run/containerd/containerd.sock -n k8s.io images import "$CACHE/pause.tar" > /dev/null
start kubelet kubelet --config "$RUN/kubelet.yaml" --kubeconfig "$RUN/kubelet.conf" --root-dir "$RUN/kubelet" \
  --cert-dir "$RUN/kubelet/pki" --hostname-override "$NODE" --node-ip "$IP"
start kube-proxy kube-proxy --config "$RUN/proxy.yaml"
start metrics-server metrics-server --kubeconfig "$RUN/admin.conf" --authentication-kubeconfig "$RUN/admin.conf" \
  --authorization-kubeconfig "$RUN/admin.conf" --secure-port "$METRICS_PORT" --cert-dir "$RUN/metrics" \
  --kubelet-insecure-tls --kubelet-preferred-address-types InternalIP --kubelet-request-timeout 8s --metric-resolution 10s
for _ in $(seq 240); do  # kube-router ends if it does not find its node
  kubectl --kubeconfig "$RUN/admin.conf" get node "$NODE" > /dev/null 2>&1 && break
  sleep 0.5
done
LD_LIBRARY_PATH=$libraries start kube-router kube-router --kubeconfig "$RUN/admin.conf" --hostname-override "$NODE" \
  --run-firewall=true --run-router=false --run-service-proxy=false --enable-cni=false --health-port 0 \
  --service-cluster-ip-range "$SERVICES"
exec "$CACHE/bin/pause"
