// TopologyTestDriver, matchers and fixtures for users and for our own specs. Never imports libs/kafka or libs/nestjs.

export {};
