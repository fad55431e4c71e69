// The RPC port of libs/broker on real sockets. Owns codecs, connections, TLS and SASL; the only importer of the Kafka
// client. Never decides what a broker answer means: that is for the state machines of libs/broker.

export {};
