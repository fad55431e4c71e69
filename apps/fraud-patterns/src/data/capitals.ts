// Owns where the countries' capitals are, degrees.

export const CAPITALS: Readonly<
  Record<string, { readonly latitude: number; readonly longitude: number } | undefined>
> = {
  AT: { latitude: 48.21, longitude: 16.37 },
  BE: { latitude: 50.85, longitude: 4.35 },
  BR: { latitude: -15.79, longitude: -47.88 },
  DE: { latitude: 52.52, longitude: 13.41 },
  FR: { latitude: 48.86, longitude: 2.35 },
  JP: { latitude: 35.68, longitude: 139.69 },
  NL: { latitude: 52.37, longitude: 4.9 },
  PL: { latitude: 52.23, longitude: 21.01 },
  SG: { latitude: 1.35, longitude: 103.82 },
  US: { latitude: 38.91, longitude: -77.04 },
  ZA: { latitude: -25.75, longitude: 28.19 },
};
