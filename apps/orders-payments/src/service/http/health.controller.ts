// Owns what an orchestrator asks: is the process to be restarted, is it to be given requests.
import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import type { HealthCheckResult } from '@nestjs/terminus';
import { MillraceHealthIndicator } from '#libs/nestjs';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly millrace: MillraceHealthIndicator,
  ) {}

  /** Down after a failure for good. */
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.millrace.isAlive('millrace')]);
  }

  /** Down while state is restored. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.millrace.isReady('millrace')]);
  }
}
