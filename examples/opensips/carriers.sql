-- The gateways for drouting. gwid is the gateway's name in siprtx.conf; the template there says it.
-- probe_mode 0: OpenSIPS sends no OPTIONS of its own, siprtx does while a gateway is not up.
INSERT INTO dr_gateways (gwid, type, address, strip, probe_mode, state) VALUES
	('carrier-a', 0, '192.0.2.10:5060', 0, 0, 0),
	('carrier-b', 0, '192.0.2.11:5060', 0, 0, 0);
INSERT INTO dr_rules (groupid, prefix, timerec, priority, gwlist) VALUES
	('0', '', NULL, 0, 'carrier-a,carrier-b');
