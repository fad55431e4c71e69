// Specifies that an application which may no longer do what it did stops and says what it lacks; and goes on where it was once it may.
import { expect, it } from '@jest/globals';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  ResourcePatternTypes,
  logLevel,
} from 'kafkajs';
import type { AclEntry } from 'kafkajs';
import { describeWithBroker } from '../../support/broker.ts';
import { failureOf, freshRuns } from '../../support/fault-run.ts';
import type { FaultRun } from '../../support/fault-run.ts';

const USER = { name: 'ada', password: 'correct-horse-battery' };

describeWithBroker(
  'an application whose permission is taken while it runs',
  (broker) => {
    let run: FaultRun;
    freshRuns(
      broker,
      (given) => {
        run = given;
      },
      500,
    );

    const asUser = () => ({
      brokers: [broker().endpoints.saslPlaintext!],
      sasl: { mechanism: 'plain', username: USER.name, password: USER.password } as const,
    });

    /** Denied to the user from now on. */
    function denial(
      resourceType: AclResourceTypes,
      resourceName: string,
      operation: AclOperationTypes,
    ): AclEntry {
      return {
        principal: `User:${USER.name}`,
        host: '*',
        operation,
        permissionType: AclPermissionTypes.DENY,
        resourceType,
        resourceName,
        resourcePatternType: ResourcePatternTypes.LITERAL,
      };
    }

    it.each<[string, () => AclEntry]>([
      ['to write its output', () => denial(AclResourceTypes.TOPIC, run.output, AclOperationTypes.WRITE)],
      ['to read its input', () => denial(AclResourceTypes.TOPIC, run.input, AclOperationTypes.READ)],
      ['to be of its group', () => denial(AclResourceTypes.GROUP, run.applicationId, AclOperationTypes.READ)],
      [
        'to use its transactional id',
        () =>
          denial(AclResourceTypes.TRANSACTIONAL_ID, `${run.applicationId}-one-0`, AclOperationTypes.WRITE),
      ],
    ])('%s stops with a code that says so, and loses nothing', async (_what, entry) => {
      const application = await run.start(asUser());
      await run.committed(application);
      const kafka = new Kafka({ brokers: [...broker().bootstrapServers], logLevel: logLevel.NOTHING });
      const admin = kafka.admin();
      await admin.connect();
      await admin.createAcls({ acl: [entry()] });
      const failed = failureOf(application);
      await run.more(250);
      expect(await failed).toMatchObject({
        code: 'MILLRACE_AUTHORIZATION_FAILED',
        remedy: expect.stringMatching(/ACL/),
      });
      await application.close();
      await run.more(250);

      await admin.deleteAcls({ filters: [entry()] });
      await admin.disconnect();
      const again = await run.start(asUser());
      await run.committed(again);
      await again.close();
      await run.check();
    });
  },
  { security: { sasl: { users: [USER] }, acls: {} } },
);
