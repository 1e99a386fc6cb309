# SPDX-License-Identifier: GPL-2.0-or-later
# Part of init: the same calls with copies sent as XDP live frames. siprtxd runs inline, as $daemon, before and after.

kill $daemon
wait $daemon
configure live "inside = in0" "outside = out0" "sender = live-frames"
start
if grep -q live-frames /tmp/status; then ok "live frames: the sender in force"; else fail "live frames are not in force: $(cat /tmp/status)"; fi
rights=$(sed -n 's/^\(Uid\|CapEff\):[[:space:]]*\([0-9a-f]*\).*/\2/p' /proc/$daemon/status | tr '\n' ' ')
if [ "$rights" = "65534 0000000000002000 " ]; then ok "live frames by nobody, with CAP_NET_RAW alone"; else fail "live frames: siprtxd has $rights"; fi
calls live- 10.77.1.2 10.77.1.2 fd77:1::2
kill $daemon
wait $daemon
configure inline "inside = in0" "outside = out0"
start
