// Owns the names of the service's topics.
export const TOPICS = { lines: 'lines', wordCounts: 'word-counts' } as const;
