// Owns what several operators of one task share: an object that is made when the first of them asks for it.
import type { Site } from './operator.ts';

export class PerTask<T extends object> {
  readonly #create: () => T;
  readonly #made = new WeakMap<object, T>();

  constructor(create: () => T) {
    this.#create = create;
  }

  of(site: Site): T {
    let object = this.#made.get(site.context);
    if (object === undefined) this.#made.set(site.context, (object = this.#create()));
    return object;
  }
}
