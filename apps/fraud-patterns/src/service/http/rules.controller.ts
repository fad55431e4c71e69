// Owns the change of a rule while the service runs: it is published, and every copy of the service reads it from the topic.
import { BadRequestException, Body, Controller, Get, NotFoundException, Put } from '@nestjs/common';
import { Serdes } from '#libs/millrace';
import type { QueryableStore, RecordProducer } from '#libs/millrace';
import { InjectProducer, InjectStore } from '#libs/nestjs';
import { TOPICS } from '../../data/topics.ts';
import { SPENDING_LIMIT } from '../../data/transaction.ts';
import type { SpendingLimitRule } from '../../data/transaction.ts';

@Controller('rules/spending-limit')
export class RulesController {
  constructor(
    @InjectStore('rules') private readonly rules: QueryableStore<string, SpendingLimitRule>,
    @InjectProducer() private readonly producer: RecordProducer,
  ) {}

  /** As this copy of the service has it. */
  @Get()
  async current(): Promise<SpendingLimitRule> {
    const rule = await this.rules.get(SPENDING_LIMIT);
    if (rule === null) throw new NotFoundException('no limit is set');
    return rule;
  }

  @Put()
  async change(@Body() rule: unknown): Promise<void> {
    if (!isRule(rule)) throw new BadRequestException('expected { minutes, limits: [{ fromMs, cents }] }');
    await this.producer.send({
      topic: TOPICS.rules,
      keySerde: Serdes.string(),
      valueSerde: Serdes.json<SpendingLimitRule>(),
      records: [{ key: SPENDING_LIMIT, value: rule }],
    });
  }
}

function isRule(given: unknown): given is SpendingLimitRule {
  const { minutes, limits } = (given ?? {}) as Partial<SpendingLimitRule>;
  if (!Number.isInteger(minutes) || minutes! < 1 || !Array.isArray(limits)) return false;
  return limits.every(({ fromMs, cents }) => Number.isInteger(fromMs) && Number.isInteger(cents));
}
