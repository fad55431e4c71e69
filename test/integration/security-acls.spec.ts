// Specifies what an application must be allowed in Kafka, on a broker with SASL_SSL where nothing is allowed that is not granted: the list of
// test/support/permissions.ts is enough, and nothing in it is too much. Each permission is left out once: the application stops with an error
// that names it, or does without the one thing it is for; granted, it works.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { redriveDeadLetters } from '#libs/millrace';
import type { MillraceError, RedriveReport } from '#libs/millrace';
import { describeWithBroker } from '../support/broker.ts';
import { NEEDED_PERMISSIONS, REDRIVE_PERMISSIONS } from '../support/permissions.ts';
import type { NeededPermission } from '../support/permissions.ts';
import { SECURED, SecuredApplication, SecurityOfficer, USER } from '../support/secured-application.ts';
import type { Grant } from '../support/secured-application.ts';

const RESOURCE_TYPES = { Topic: 'topic', Group: 'group', TransactionalId: 'transactional id' } as const;
const byId = (id: string): NeededPermission => NEEDED_PERMISSIONS.find((needed) => needed.id === id)!;

/** What the application stops without. `on`: the resource that the error names. */
const STOPPING: readonly {
  readonly id: string;
  readonly on: (of: SecuredApplication) => string | readonly string[];
}[] = [
  { id: 'read-input', on: ({ input }) => input },
  { id: 'write-output', on: ({ output }) => output },
  { id: 'write-dead-letters', on: ({ deadLetters }) => deadLetters },
  { id: 'read-internal', on: ({ repartition, changelog }) => [repartition, changelog] },
  { id: 'write-internal', on: ({ repartition, changelog }) => [repartition, changelog] },
  { id: 'describe-configs', on: ({ repartition, changelog }) => [repartition, changelog] },
  { id: 'create-internal', on: ({ repartition, changelog }) => [repartition, changelog] },
  { id: 'group', on: ({ applicationId }) => applicationId },
  { id: 'transactions', on: ({ applicationId }) => `${applicationId}-one-0` },
];
/** What only a situation fails without, each with a test of its own below. */
const SITUATIONS = ['delete-consumed'];

describeWithBroker(
  'an application that may do nothing but what is granted',
  (broker) => {
    const officer = new SecurityOfficer(broker);
    const open: SecuredApplication[] = [];
    afterAll(async () => {
      for (const secured of open) await secured.stop();
      await officer.close();
    });

    async function prepared(): Promise<SecuredApplication> {
      const secured = new SecuredApplication(officer);
      open.push(secured);
      await secured.createTopics();
      await secured.give();
      return secured;
    }

    /** All of the list, but for some. */
    const without = (secured: SecuredApplication, ...left: string[]): Grant[] =>
      NEEDED_PERMISSIONS.filter(({ id }) => !left.includes(id)).map((needed) => secured.named(needed));

    // Repartition topics are trimmed every 30 s: two applications run while the others are tested.
    const trimming: SecuredApplication[] = [];
    beforeAll(async () => {
      for (const left of [[], ['delete-consumed']]) {
        const secured = await prepared();
        await officer.grant(...without(secured, ...left));
        await secured.start();
        trimming.push(secured);
      }
    });

    it('has each permission of the list left out once', () => {
      const ids = NEEDED_PERMISSIONS.map(({ id }) => id);
      expect([...STOPPING.map(({ id }) => id), ...SITUATIONS].sort()).toEqual([...ids].sort());
    });

    describe.each(['classic', 'streams'] as const)('in a group of the protocol %s', (groupProtocol) => {
      it('does all its work with the list', async () => {
        const secured = await prepared();
        await officer.grant(...without(secured));
        await secured.work({ groupProtocol });
        // The state is restored from its changelog, and the transactional id begun anew.
        await secured.give();
        await secured.work({ groupProtocol });
        expect(secured.logged('AUTHORIZATION')).toEqual([]);
      });

      it.each(STOPPING)('stops without $id, says so, and works once it is granted', async ({ id, on }) => {
        const needed = byId(id);
        const grant = (secured: SecuredApplication): Grant => secured.named(needed);
        const secured = await prepared();
        await officer.grant(...without(secured, id));
        const resourceType = RESOURCE_TYPES[needed.resourceType];
        // Of several that are refused at once the broker names whichever comes first.
        const names = on(secured);
        const permission = {
          resourceType,
          resourceName: expect.stringMatching(new RegExp(`^(${[names].flat().join('|')})$`)),
        };

        let error = await secured.failure({ groupProtocol });
        expect(error).toMatchObject({ code: 'MILLRACE_AUTHORIZATION_FAILED', context: { permission } });
        const { operation } = (error.context as { permission: { operation: string } }).permission;
        if (operation === 'Describe') {
          // To see it is not enough: what is missing is what the list says.
          await officer.grant({ ...grant(secured), operation: 'Describe' });
          error = await secured.failure({ groupProtocol });
        }
        expect(error).toMatchObject({
          code: 'MILLRACE_AUTHORIZATION_FAILED',
          context: { permission: { ...permission, operation: needed.operation } },
          remedy: expect.stringMatching(
            new RegExp(`${needed.operation} on the ${resourceType} "(${[names].flat().join('|')})"`),
          ),
        });

        await officer.grant(grant(secured));
        await secured.work({ groupProtocol });
      });
    });

    it('needs neither stores’ nor repartitions’ permissions without those', async () => {
      const secured = await prepared();
      const internal = NEEDED_PERMISSIONS.filter(
        ({ resourceType, patternType }) => resourceType === 'Topic' && patternType === 'prefixed',
      );
      await officer.grant(...without(secured, ...internal.map(({ id }) => id)));
      await secured.work({ topology: () => secured.stateless() });
    });

    it('creates nothing where the internal topics are made beforehand; by PLAIN', async () => {
      const secured = await prepared();
      await secured.createInternalTopics();
      await officer.grant(...without(secured, 'create-internal'));
      const sasl = { mechanism: 'plain', username: USER.name, password: USER.password } as const;
      await secured.work({ kafka: { ...secured.connection, sasl } });
    });

    it('needs no transactional id at least once', async () => {
      const secured = await prepared();
      await officer.grant(...without(secured, 'transactions'));
      await secured.work({ processingGuarantee: 'at_least_once' });
    });

    it('ends what an instance that died left open, by the prefix of its transactional ids', async () => {
      const secured = await prepared();
      const { applicationId, input } = secured;
      const ofAll = secured.named(byId('transactions'));
      const ofTwo: Grant = { ...ofAll, patternType: 'literal', resourceName: `${applicationId}-two-0` };
      await officer.grant(...without(secured));
      await secured.work({ instanceId: 'dead' });
      await secured.give();
      await officer.leaveTransaction(`${applicationId}-dead-0`, applicationId, input);

      await officer.revoke(ofAll);
      await officer.grant(ofTwo);
      await secured.start({ instanceId: 'two' });
      const refusal = `Write on the transactional id "${applicationId}-dead-0"`;
      while (secured.logged(refusal).length === 0) await delay(20);
      expect(secured.logged(refusal)[0]).toMatchObject({ level: 'warn' });
      await secured.stop();

      await officer.revoke(ofTwo);
      await officer.grant(ofAll);
      await secured.work({ instanceId: 'two' });
      // The same of one that nobody has heard of: it is found among the open transactions under the prefix.
      await secured.give();
      await officer.leaveTransaction(`${applicationId}-ghost-0`, applicationId, input);
      await secured.work({ instanceId: 'two' });
      expect(secured.logged('Settled the transaction')).toMatchObject([
        { fields: { transactionalId: `${applicationId}-ghost-0` } },
      ]);
    });

    it('is reset with the same permissions and those to note what becomes of dead letters', async () => {
      const secured = await prepared();
      await officer.grant(...without(secured));
      await secured.work();
      const group = REDRIVE_PERMISSIONS.find(({ id }) => id === 'redrive-group')!;
      await expect(secured.create().reset()).rejects.toMatchObject({
        code: 'MILLRACE_AUTHORIZATION_FAILED',
        remedy: expect.stringContaining(`Read on the group "${secured.named(group).resourceName}"`),
      });
      await officer.grant(secured.named(group), secured.named(REDRIVE_PERMISSIONS[0]!));
      const { deletedTopics } = await secured.create().reset();
      expect([...deletedTopics].sort()).toEqual([secured.repartition, secured.changelog].sort());
      await secured.work();
    });

    it.each(REDRIVE_PERMISSIONS)('puts dead letters back with $id, and says so without', async (needed) => {
      const secured = await prepared();
      await officer.grant(...without(secured));
      await secured.work();
      await officer.revoke(...without(secured));
      const others = REDRIVE_PERMISSIONS.filter(({ id }) => id !== needed.id);
      await officer.grant(...others.map((each) => secured.named(each)));
      const grant = secured.named(needed);
      const { connection: kafka, applicationId, deadLetters: topic, input } = secured;
      const redrive = (): Promise<RedriveReport> => redriveDeadLetters({ kafka, applicationId, topic });
      const refused = (): Promise<MillraceError> =>
        redrive().then(
          () => Promise.reject(new Error('it was put back')),
          (error: unknown) => error as MillraceError,
        );
      const permission = {
        resourceType: RESOURCE_TYPES[needed.resourceType],
        resourceName: grant.resourceName,
      };
      let error = await refused();
      expect(error).toMatchObject({ code: 'MILLRACE_AUTHORIZATION_FAILED', context: { permission } });
      if ((error.context as { permission: { operation: string } }).permission.operation === 'Describe') {
        await officer.grant({ ...grant, operation: 'Describe' });
        error = await refused();
      }
      expect(error.context).toMatchObject({ permission: { ...permission, operation: needed.operation } });
      await officer.grant(grant);
      const before = (await officer.end(input)).high;
      expect(await redrive()).toMatchObject({ redriven: 1, complete: true });
      expect((await officer.end(input)).high).toBeGreaterThan(before);
    });

    it('deletes what it has consumed of repartition topics; without Delete it says so, and goes on', async () => {
      const [allowed, denied] = trimming;
      const refusal = `Delete on the topic "${denied!.repartition}"`;
      while (denied!.logged(refusal).length === 0) await delay(50);
      expect(denied!.logged(refusal)[0]).toMatchObject({ level: 'warn' });
      while ((await officer.end(allowed!.repartition)).low === 0) await delay(50);
      expect((await officer.end(denied!.repartition)).low).toBe(0);
      expect(denied!.state).toBe('RUNNING');
    });
  },
  SECURED,
);
