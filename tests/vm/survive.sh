# SPDX-License-Identifier: GPL-2.0-or-later
# Part of init: what happens to calls while siprtxd dies or hangs. It runs as $daemon.

# The frames are in the pinned maps: the next controller goes on with the list.
killed()
{
	one -w 0,300,4300,4800 "killed and started again" silent 10.77.1.2 10.77.2.3 &
	call=$!
	sleep 1
	kill -KILL $daemon
	wait $daemon
	start
	wait $call
}
judged killed killed
usleep 300000 # the final wait
once "killed and started again"

# A sending loop that stands still gives the work back: past a second the softswitch's own copies pass.
stopped()
{
	one -o 400,2500,3500 -w 0,2500,3500 "stopped controller" silent 10.77.1.2 10.77.2.4 &
	call=$!
	sleep 1
	kill -STOP $daemon
	wait $call
	gone=$?
	cli status > /dev/null
	[ $? -eq 3 ] || fail "stopped controller: siprtx status does not end with 3"
	kill -CONT $daemon
	return $gone
}
judged stopped stopped
