/* Fills lazy shelves and reports what became of recommendations: rendered, seen, clicked.
 *
 * <script src="…/recommend/shelf.js" data-api="/api/v1" data-key="pk_…" data-user="v-…" data-user-token="…" defer></script>
 *
 * Reports go to POST {data-api}/interactions with the public key. Each carries its entry's token and an event id made
 * of the decision and the position, so that a repeated report changes nothing.
 */
(() => {
  "use strict";
  const script = document.currentScript;
  const { api = "/api/v1", key = "", user = "", userToken = "" } = script.dataset;
  const SEEN_AFTER_MS = 1000;
  const queue = [];
  let timer = 0;

  function flush() {
    clearTimeout(timer);
    timer = 0;
    while (key && queue.length) {
      fetch(`${api}/interactions`, {
        method: "POST",
        keepalive: true,
        headers: {
          "Content-Type": "application/json",
          Authorization: `Bearer ${key}`,
          ...(userToken ? { "X-User-Token": userToken } : {}),
        },
        body: JSON.stringify(queue.splice(0, 100)),
      }).catch(() => {}); // offline: the next page reports its own shelves; these are lost, the shop works on
    }
  }

  function report(card, type) {
    const shelf = card.closest(".rec-shelf");
    queue.push({
      interaction_type: type,
      event_id: `${shelf.dataset.recommId}:${card.dataset.position}:${type}`,
      item_id: card.dataset.itemId,
      token: card.dataset.token,
      ...(user ? { user_id: user } : {}),
    });
    if (!timer) timer = setTimeout(flush, 500);
  }

  const pending = new Map();
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting && !pending.has(target)) {
          pending.set(
            target,
            setTimeout(() => {
              seen.unobserve(target);
              report(target, "view_item_list");
            }, SEEN_AFTER_MS),
          );
        } else if (!isIntersecting) {
          clearTimeout(pending.get(target));
          pending.delete(target);
        }
      }
    },
    { threshold: 0.5 },
  );

  function watch(root) {
    for (const card of root.querySelectorAll(".rec-card[data-token]")) {
      report(card, "render_item_list");
      seen.observe(card);
    }
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) {
          near.unobserve(target);
          load(target);
        }
      }
    },
    { rootMargin: "400px" },
  );

  async function load(place) {
    const address = new URL(place.dataset.recommendations, document.baseURI);
    if (userToken) address.searchParams.set("user_token", userToken);
    else if (user) address.searchParams.set("user", user);
    try {
      const response = await fetch(address);
      if (response.ok) place.innerHTML = await response.text();
      watch(place);
    } catch {
      // no shelf is better than a broken page
    } finally {
      place.removeAttribute("aria-busy");
    }
  }

  document.addEventListener("click", (event) => {
    const card = event.target.closest?.(".rec-card[data-token]");
    if (card && event.target.closest("a")) {
      report(card, "select_item");
      flush();
    }
  });
  addEventListener("pagehide", flush);
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && flush());

  watch(document);
  for (const place of document.querySelectorAll("[data-recommendations]")) near.observe(place);
})();
