import { DAY, allOf, isSame, now, print, stripe, without } from "./client.mjs";

const { creditBalanceSummaries, creditBalanceTransactions, creditGrants } =
  stripe.billing;
const tomorrow = now() + DAY;

const grant = (params) =>
  creditGrants.create({
    customer: "cus_1",
    amount: { type: "monetary", monetary: { currency: "usd", value: 1000 } },
    applicability_config: { scope: { price_type: "metered" } },
    ...params,
  });

const created = await grant({
  name: "Purchased Credits",
  category: "promotional",
  priority: 10,
  applicability_config: {
    scope: { prices: [{ id: "price_1" }, { id: "price_2" }] },
  },
  expires_at: new Date(tomorrow * 1000),
  metadata: { order: "6735", "ä b": "ö" },
});
const updated = await creditGrants.update(created.id, {
  expires_at: null,
  metadata: { order: "", invoice: "in_1" },
});
const retrieved = await creditGrants.retrieve(created.id);
const second = await grant();
const third = await grant({
  amount: { type: "monetary", monetary: { currency: "eur", value: 500 } },
});
const fourth = await grant({ customer: "cus_2" });
const voided = await creditGrants.voidGrant(third.id);
const expired = await creditGrants.expire(fourth.id);

const listed = await allOf(creditGrants.list({ customer: "cus_1", limit: 1 }), "id");
const balanceOf = async (filter) =>
  (await creditBalanceSummaries.retrieve({ customer: "cus_1", filter })).balances.map(
    (each) => [
      each.available_balance.monetary.currency,
      each.available_balance.monetary.value,
      each.ledger_balance.monetary.value,
    ],
  );
const told = [];
for await (const each of creditBalanceTransactions.list({
  customer: "cus_1",
  limit: 2,
})) {
  const { amount, type } = each.credit ?? each.debit;
  told.push([each.type, type, amount.monetary.currency, amount.monetary.value]);
}
const [newest] = (await creditBalanceTransactions.list({ customer: "cus_1" })).data;
const one = await creditBalanceTransactions.retrieve(newest.id, {
  expand: ["credit_grant"],
});

print({
  created: without(created, "id", "created", "updated", "effective_at", "expires_at"),
  expiresAt: created.expires_at - tomorrow,
  updated: [updated.expires_at, updated.metadata],
  isRetrieved: isSame(retrieved, updated),
  voided: typeof voided.voided_at,
  expired: typeof expired.expires_at,
  isListed: isSame(listed, [third.id, second.id, created.id]),
  metered: await balanceOf({
    type: "applicability_scope",
    applicability_scope: { price_type: "metered" },
  }),
  ofPrice: await balanceOf({
    type: "applicability_scope",
    applicability_scope: { prices: [{ id: "price_1" }] },
  }),
  ofGrant: await balanceOf({ type: "credit_grant", credit_grant: second.id }),
  transactions: told,
  expanded: one.credit_grant.amount.monetary,
});
