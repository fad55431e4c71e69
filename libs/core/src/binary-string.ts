// Owns the type in which bytes travel on the hot path: a string whose every UTF-16 unit is one byte (0 to 255).
//
// V8 keeps such a string with one byte per character, a substring of it costs no copy, and as a Map key it needs no
// wrapper: a Buffer per record costs three times that and cannot be one. It never holds text: text is UTF-16, and only when all of it is
// ASCII do the two look the same.

declare const binary: unique symbol;

/** Bytes as a string of units 0 to 255. Made by the helpers of libs/serde and libs/broker, never from user text. */
export type BinaryString = string & { readonly [binary]: true };
