// Owns what is told of the sums, read from the store that keeps them.
import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { StoreQueryError } from '#libs/millrace';
import type { QueryableStore } from '#libs/millrace';
import { InjectStore } from '#libs/nestjs';
import type { Account } from '../../data/records.ts';

@Controller('accounts')
export class AccountsController {
  constructor(@InjectStore('accounts') private readonly accounts: QueryableStore<string, Account>) {}

  /** Those that this copy of the service keeps. */
  @Get()
  async all(): Promise<Record<string, Account>> {
    try {
      const { entries } = await this.accounts.all();
      return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
    } catch (error) {
      // The store's tasks are on their way from one copy to another, or restore.
      if (error instanceof StoreQueryError) throw new ServiceUnavailableException(error.message);
      throw error;
    }
  }
}
