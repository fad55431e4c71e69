// Owns how far countries are from one another: what the topology needs and is injected. A real one would ask a table of towns.
import { Injectable } from '@nestjs/common';
import { CAPITALS } from '../data/capitals.ts';

const EARTH_RADIUS_KM = 6_371;

@Injectable()
export class Distances {
  /** Great circle between the capitals; 0 where one is not known, which raises no alarm. */
  betweenKm(country: string, other: string): number {
    const [a, b] = [CAPITALS[country], CAPITALS[other]];
    if (a === undefined || b === undefined || country === other) return 0;
    const radians = Math.PI / 180;
    const [latitude, otherLatitude] = [a.latitude * radians, b.latitude * radians];
    const haversine =
      Math.sin((otherLatitude - latitude) / 2) ** 2 +
      Math.cos(latitude) *
        Math.cos(otherLatitude) *
        Math.sin(((b.longitude - a.longitude) * radians) / 2) ** 2;
    return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(haversine));
  }
}
