# SPDX-License-Identifier: GPL-2.0-or-later
# Part of init: what happens to calls while siprtxd dies or hangs. It runs as $daemon.

# The frames are in the pinned maps: the next controller goes on with the list.
peer -w 0,300,4300,4800 "killed and started again" silent 10.77.1.2 10.77.2.3 killed@vm &
call=$!
sleep 1
kill -KILL $daemon
wait $daemon
start
wait $call
usleep 300000 # the final wait
n=$(recorded killed@vm)
if [ $n -eq 1 ]; then ok "killed and started again: one record"; else fail "killed and started again: $n records, wanted one"; fi

# A sending loop that stands still gives the work back: past a second the softswitch's own copies pass.
peer -o 400,2500,3500 -w 0,2500,3500 "stopped controller" silent 10.77.1.2 10.77.2.4 stopped@vm &
call=$!
sleep 1
kill -STOP $daemon
wait $call
cli status > /dev/null
status=$?
kill -CONT $daemon
if [ $status -eq 3 ]; then ok "stopped controller: siprtx status ends with 3"; else fail "stopped controller: siprtx status ends with $status, wanted 3"; fi
