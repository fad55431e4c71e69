// Finds or starts a real Kafka broker for development and tests. Never used by a running service.

export {};
