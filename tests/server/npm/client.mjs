// Owns Stripe's own client, pointed at the server that the command line names.

import Stripe from "stripe";

const [, , address, key, ...told] = process.argv;

export { told };

export function clientOf(secret, url = address) {
  const { hostname, port } = new URL(url);
  return new Stripe(secret, {
    host: hostname,
    port,
    protocol: "http",
    maxNetworkRetries: 0,
  });
}

export const stripe = clientOf(key);

export const proxied = (url) => clientOf(key, url);

export const now = () => Math.floor(Date.now() / 1000);

export const DAY = 86_400;

export const TODAY = now() - (now() % DAY);

export function without(resource, ...names) {
  return Object.fromEntries(
    Object.entries(resource).filter(([name]) => !names.includes(name)),
  );
}

export async function allOf(pages, name) {
  const found = [];
  for await (const each of pages) found.push(each[name]);
  return found;
}

export async function refusal(asked) {
  try {
    await asked;
  } catch (error) {
    const { type, statusCode, code, param, message } = error;
    return { type, statusCode, code, param, message };
  }
  throw new Error("It was not refused");
}

export const createMeter = (event_name, params = {}) =>
  stripe.billing.meters.create({
    display_name: "A meter",
    event_name,
    default_aggregation: { formula: "sum" },
    ...params,
  });

export const createEvent = (event_name, value, params = {}) =>
  stripe.billing.meterEvents.create({
    event_name,
    payload: { stripe_customer_id: "cus_1", value },
    ...params,
  });

export const summaries = (meter, params = {}) =>
  stripe.billing.meters.listEventSummaries(meter.id, {
    customer: "cus_1",
    start_time: TODAY - DAY,
    end_time: TODAY + 2 * DAY,
    ...params,
  });

export const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export const print = (found) => console.log(JSON.stringify(found));
