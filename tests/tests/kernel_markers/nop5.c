/* A foreign marker at a 5-byte nop, fired by a parent and then by its forked child, several times over. Prints the children
 * that did not end with status 3. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

void fire(const char *who);
__asm__(".text\n.balign 16\n.globl fire\n.type fire, @function\nfire:\n"
        "990: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\nret\n.balign 16\n"
        ".pushsection .note.stapsdt, \"\", @note\n.balign 4\n"
        ".4byte 992f - 991f, 994f - 993f, 3\n991: .asciz \"stapsdt\"\n992: .balign 4\n"
        "993: .8byte 990b\n.8byte 0\n.8byte 0\n"
        ".asciz \"five\"\n.asciz \"fired\"\n.asciz \"8@%rdi\"\n994: .balign 4\n.popsection\n");

int main(void) {
    int i, status, wrong = 0;
    for (i = 0; i < 5; i++) {
        pid_t child;
        fire("parent");
        child = fork();
        if (child == 0) {
            fire("child");
            _exit(3);
        }
        waitpid(child, &status, 0);
        wrong += !(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    }
    printf("%d\n", wrong);
    return 0;
}
