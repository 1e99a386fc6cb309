# SPDX-License-Identifier: GPL-2.0-or-later
# Part of init: capture at TC egress, on an edge that masquerades and on the softswitch's own host, and replies that come up
# from there. siprtxd runs inline, as $daemon.

# clsact: does the outside interface have one?
clsact() { tc -n vm-edge qdisc show dev out0 | grep -q clsact; }

# program INTERFACE: id of the XDP program on it
program() { ip -n vm-edge -d link show dev $1 | sed -n 's/.*xdp id \([0-9]*\).*/\1/p'; }

# A clsact of somebody else's, which is to stay; and with it programs are replaced, and their hook, without a datagram lost.
tc -n vm-edge qdisc add dev out0 clsact
configure egress "inside = in0" "outside = out0" "capture = egress"
peer "programs replaced" stream 10.77.1.2 10.77.2.2 stream@vm &
call=$!
before="$(program in0) $(program out0)"
cli load || fail "programs replaced: siprtx load fails"
after="$(program in0) $(program out0)"
kill $call
wait $call
case $before:$after in
[0-9]*" "[0-9]*:" "[0-9]*) [ "${before#* }" != "${after# }" ] ;;
*) false ;;
esac && ok "programs replaced: $before are now none and$after" || fail "programs replaced: they are $before and then $after"

kill $daemon
wait $daemon
netns run vm-edge nft add table ip nat
netns run vm-edge nft add chain ip nat out "{ type nat hook postrouting priority srcnat; }"
netns run vm-edge nft add rule ip nat out ip daddr { 10.77.2.2, 10.77.3.2 } masquerade || fail "no masquerading"
answering
start
calls egress- 10.77.1.2 10.77.1.2 fd77:1::2 -r
end_in_order
if clsact; then ok "unload leaves a clsact that was there before"; else fail "unload removes a clsact that was there before"; fi
tc -n vm-edge qdisc del dev out0 clsact
netns run vm-edge nft delete table ip nat

configure host "mode = host" "outside = out0"
answering
start
ok "mode = host: siprtx status says $(head -n 1 /tmp/status)"
calls host- 10.77.2.1 10.77.3.1 fd77:2::1 -s vm-edge -r
clsact || fail "mode = host: there is no clsact, so these tests do not show that it goes"
end_in_order
if clsact; then fail "unload leaves the clsact that siprtx made"; else ok "unload removes the clsact that siprtx made"; fi
