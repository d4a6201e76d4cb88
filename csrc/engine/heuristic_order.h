/* heuristic_order.h - the order in which heuristic dissectors are asked, as it was at the start. */
#ifndef WISHPY_HEURISTIC_ORDER_H
#define WISHPY_HEURISTIC_ORDER_H

/* A heuristic dissector that has recognised a packet moves to the front of its list, for speed (packet.c,
 * dissector_try_heuristic), and stays there: what a capture's packets are taken for would depend on the captures
 * before it. Called before each session, this puts the order back. The first call remembers it. Lock held. */
void wp_heuristic_order_restore_locked(void);

#endif
