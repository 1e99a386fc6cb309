# SPDX-License-Identifier: GPL-2.0-or-later
# Part of init: another version of the maps takes over while a call is held, and serves the next one.

configure upgrade "inside = in0" "outside = out0"
start
# When its copies come is not judged: the kernel verifies programs all the time, and here it is interpreted.
id=held@vm
peer "held meanwhile" silent 10.77.1.2 10.77.2.2 $id > /dev/null &
call=$!
usleep 100000
if netns run vm-edge siprtx-next -c "$CONF" load > /tmp/next.log 2>&1 && wait $daemon && grep -q "has taken over" /tmp/next.log; then
	ok "another version of the maps has taken over, the former siprtxd ended by itself"
else
	cat /tmp/next.log
	fail "another version of the maps did not take over"
fi
wait $call
once "held meanwhile"

NEXT=-next
start
silent next 10.77.1.2 10.77.2.2
end_in_order
NEXT=
