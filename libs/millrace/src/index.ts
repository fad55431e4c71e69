// What users import: the public API and the wiring of all parts, without NestJS.

export {};
