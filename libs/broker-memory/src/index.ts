// The RPC port of libs/broker on a simulated cluster: broker semantics, seeded faults, virtual time. Opens no socket.

export {};
