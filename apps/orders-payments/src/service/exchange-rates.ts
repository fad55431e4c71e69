// Owns what a currency is worth. The rates come from the variable EXCHANGE_RATES; one that is missing there is the defect of this lesson.
import { Injectable } from '@nestjs/common';

/** Euros for one of the currency. */
export type Rates = Readonly<Record<string, number>>;

/** Its name is what a dead letter says, and what a redrive can be limited to. */
export class UnknownCurrency extends Error {
  override readonly name = 'UnknownCurrency';
}

@Injectable()
export class ExchangeRates {
  constructor(private readonly rates: Rates) {}

  /** @throws Error for what is no object of numbers. */
  static fromEnvironment(text = process.env['EXCHANGE_RATES'] ?? '{"EUR":1}'): ExchangeRates {
    const rates = JSON.parse(text) as Rates;
    for (const [currency, rate] of Object.entries(rates)) {
      if (!(rate > 0)) throw new Error(`EXCHANGE_RATES: ${currency} must be a number, is ${String(rate)}`);
    }
    return new ExchangeRates(rates);
  }

  /** In whole cents. @throws UnknownCurrency */
  inEuros(amount: number, currency: string): number {
    const rate = this.rates[currency];
    if (rate === undefined) throw new UnknownCurrency(`there is no rate for ${currency}`);
    return Math.round(amount * rate);
  }
}
