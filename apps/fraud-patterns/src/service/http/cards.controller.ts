// Owns what is told of a card: whether it is frozen, read from the state of the keyed function.
import { Controller, Get, Param, ServiceUnavailableException } from '@nestjs/common';
import { StoreQueryError } from '#libs/millrace';
import type { QueryableStore } from '#libs/millrace';
import { InjectStore } from '#libs/nestjs';
import type { Frozen } from '../card-status.ts';

@Controller('cards')
export class CardsController {
  constructor(@InjectStore('card-status-frozen') private readonly frozen: QueryableStore<string, Frozen>) {}

  @Get(':card')
  async of(@Param('card') card: string): Promise<{ card: string; frozenUntil: string | null }> {
    try {
      const until = (await this.frozen.get(card))?.until;
      return { card, frozenUntil: until === undefined ? null : new Date(until).toISOString() };
    } catch (error) {
      // The card's task is on another copy, or on its way from one to another.
      if (error instanceof StoreQueryError) throw new ServiceUnavailableException(error.message);
      throw error;
    }
  }
}
